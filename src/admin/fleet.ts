import { defined } from "../defined.ts";
import { DatabaseUnavailableError, messageOf } from "../errors.ts";
import { EXIT, type ExitCode, exitCodeOf } from "../exit_codes.ts";
import { StatusSession } from "../inbox/status/status_session.ts";
import { type InboxStatus, withCounts } from "../inbox/status/status.ts";
import { readPasswordFile } from "../storage/credential_file.ts";
import { judge, type Verdict } from "../verdict/verdict.ts";
import { within } from "../within.ts";
import type { Member } from "./fleet_list.ts";

/** What one inbox answered, or why it did not. */
export type Answer =
  | { readonly label: string; readonly status: InboxStatus; readonly verdict: Verdict }
  | {
    readonly label: string;
    readonly status: null;
    readonly error: string;
    readonly code: ExitCode;
  };

/** The verdict on an inbox, `unknown` where it gave no answer. */
export type FleetWord = Verdict["word"] | "unknown";

/**
 * From the best to the worst. What nobody could look at is worse than what only takes time, and an inbox
 * that needs someone for certain is worse than one that may only be restarting.
 */
const WORDS: readonly FleetWord[] = ["safe", "behind", "unknown", "attention"];

export function wordOf(answer: Answer): FleetWord {
  return answer.status === null ? "unknown" : answer.verdict.word;
}

/** The worst of some verdicts, and its exit status: `inbox status`'s, or that of who gave no answer. */
export function worstOf(answers: readonly Answer[]): { word: FleetWord; code: ExitCode } {
  const rank = (answer: Answer) => WORDS.indexOf(wordOf(answer));
  const worst = answers.reduce((a, b) => rank(b) > rank(a) ? b : a);
  if (worst.status !== null) return { word: worst.verdict.word, code: worst.verdict.code };
  // Of several that gave no answer: one that an administrator must set right.
  const codes = answers.flatMap((answer) => answer.status === null ? [answer.code] : []);
  const code = codes.find((each) => each === EXIT.CONFIGURATION) ?? worst.code;
  return { word: "unknown", code };
}

/** Asks all of them side by side. None takes longer than `ms`, and none's trouble is another's. */
export function askFleet(
  members: readonly Member[],
  ms: number,
  quick: boolean,
): Promise<Answer[]> {
  return Promise.all(members.map((member) => askMember(member, ms, quick)));
}

async function askMember(member: Member, ms: number, quick: boolean): Promise<Answer> {
  const { label } = member;
  try {
    const status = await within(ms, ask(member, ms, quick));
    if (status === null) {
      throw new DatabaseUnavailableError(`The database has not answered for ${ms / 1000} s`);
    }
    return { label, status, verdict: judge(status) };
  } catch (error) {
    return { label, status: null, error: messageOf(error), code: exitCodeOf(error) };
  }
}

async function ask(member: Member, ms: number, quick: boolean): Promise<InboxStatus> {
  const { address, passwordFile } = member;
  const password = readPasswordFile(passwordFile) ?? member.password;
  using session = await StatusSession.open(address, {
    passwordFrom: "the list's file, its address or PGPASSWORD",
    ...defined({ password }),
  });
  return await session.within(ms, async () => {
    const status = await session.status();
    return withCounts(status, quick ? null : await session.counts());
  });
}
