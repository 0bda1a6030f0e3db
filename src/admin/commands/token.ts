import { integer, uuid } from "../../command_line.ts";
import { UsageError } from "../../errors.ts";
import { EXIT } from "../../exit_codes.ts";
import { openInbox } from "../../inbox/admin/inbox.ts";
import { addToken, listTokens, revokeToken, type Token } from "../../inbox/admin/tokens.ts";
import { DATABASE, OWNER, plainCommand } from "../command.ts";

const EXAMPLE = "--database postgres://postgres@localhost/omoide";

export const tokenAdd = plainCommand<{ database: string; label: string; days?: number }>({
  usage: "add <owner>",
  summary: "make a token for an owner, and show it once",
  description:
    "Whoever has a token can add to its owner's items through the gateway, and see them; nothing of " +
    "anybody else's. The token is shown this once, alone on the last line: the inbox keeps only its " +
    "SHA-256. Make one for each device, so that each can be revoked by itself.",
  options: [
    DATABASE,
    ["!--label <text>", "what it is for, as `phone`; up to 100 characters"],
    ["--days <n>", "how long it is valid (without: until it is revoked)", integer(1, 36_500)],
  ],
  examples: [
    `omoide-admin token add ${OWNER} --label phone ${EXAMPLE}`,
    `omoide-admin token add ${OWNER} --label guest --days 7 --database …`,
  ],
  readArguments: [uuid],
  need: "ask",
  run: async ([owner = ""], { database, label, days }, { console }) => {
    if (/^(0{8}|f{8})-/.test(owner) && new Set(owner.replaceAll("-", "")).size === 1) {
      throw new UsageError(`${owner} is nobody's UUID; give the owner's, or a random one`);
    }
    if (label.trim() === "" || [...label].length > 100) {
      throw new UsageError("--label takes 1 to 100 characters");
    }
    await using inbox = await openInbox(database);
    const made = await addToken(inbox, owner, label, days ?? null);
    console.result(made);
    console.say(
      `Token ${made.id} of owner ${owner} for ${label}, ${validity(made)}. Shown only now:`,
    );
    console.say(made.token);
    return EXIT.OK;
  },
});

export const tokenList = plainCommand<{ database: string; owner?: string }>({
  usage: "list",
  summary: "list the tokens, without their text",
  description: "Lists the tokens that were made, with owner, label, and until when each is valid.",
  options: [DATABASE, ["--owner <uuid>", "only this owner's", uuid]],
  examples: [`omoide-admin token list ${EXAMPLE}`],
  need: "ask",
  run: async (_args, { database, owner }, { console }) => {
    await using inbox = await openInbox(database);
    const tokens = await listTokens(inbox, owner ?? null);
    console.result(tokens);
    for (const token of tokens) {
      console.say(
        `${token.id}: owner ${token.owner}, ${token.label}, made ${token.madeAt.toISOString()}, ` +
          validity(token),
      );
    }
    if (tokens.length === 0) console.say("There are no tokens.");
    return EXIT.OK;
  },
});

export const tokenRevoke = plainCommand<{ database: string }>({
  usage: "revoke <id>",
  summary: "make a token worthless",
  description: "From the next request on, whoever has it is refused. What was stored stays.",
  options: [DATABASE],
  examples: [`omoide-admin token revoke 7 ${EXAMPLE}`],
  exits: { [EXIT.CONFIGURATION]: "there is no such token" },
  readArguments: [(text) => `${integer(1, 2 ** 31 - 1)(text)}`],
  need: "ask",
  run: async ([id = ""], { database }, { console }) => {
    await using inbox = await openInbox(database);
    const token = await revokeToken(inbox, Number(id));
    console.result(token);
    console.say(`Token ${token.id} of owner ${token.owner} for ${token.label} is revoked.`);
    return EXIT.OK;
  },
});

function validity({ revokedAt, expiresAt }: Token): string {
  if (revokedAt !== null) return `revoked ${revokedAt.toISOString()}`;
  return expiresAt === null
    ? "valid until it is revoked"
    : `valid until ${expiresAt.toISOString()}`;
}
