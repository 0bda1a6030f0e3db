import { duration, integer, size } from "../../command_line.ts";
import { EXIT } from "../../exit_codes.ts";
import { openInbox } from "../../inbox/admin/inbox.ts";
import {
  type Limit,
  LIMIT_NAMES,
  LIMITS,
  type Limits,
  readLimits,
  setLimits,
} from "../../inbox/admin/limits.ts";
import { showBytes, showDuration } from "../../units.ts";
import { DATABASE, plainCommand } from "../command.ts";

const isBytes = (name: Limit) => name.includes("bytes");
const isTime = (name: Limit) => name === "scrub_cycle";
const placeholder = (name: Limit) => isBytes(name) ? "size" : isTime(name) ? "time" : "n";
const flag = (name: Limit) => name.replaceAll("_", "-");
/** Commander names `--max-inbox-bytes` maxInboxBytes. */
const camel = (name: Limit) => name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());

export const inboxLimits = plainCommand<
  { database: string } & Record<string, number | "off" | undefined>
>({
  usage: "limits",
  summary: "show the inbox's limits, or set some",
  description: "Without limits it shows what the application may submit. With some it sets " +
    "all of them or none; they hold from the next upload on.",
  options: [
    DATABASE,
    ...LIMIT_NAMES.map((name) =>
      [`--${flag(name)} <${placeholder(name)}>`, LIMITS[name], parserOf(name)] as const
    ),
  ],
  examples: [
    "omoide-admin inbox limits --database postgres://postgres@localhost/omoide",
    "omoide-admin inbox limits --scrub-cycle 90d --database …",
    "omoide-admin inbox limits --max-inbox-bytes 20GiB --owner-media-per-day 500 --database …",
  ],
  need: "ask",
  run: async (_args, options, { console }) => {
    const wanted: Partial<Limits> = {};
    for (const name of LIMIT_NAMES) {
      const value = options[camel(name)];
      if (value !== undefined) wanted[name] = value === "off" ? null : value;
    }
    await using inbox = await openInbox(options.database);
    const before = await readLimits(inbox);
    await setLimits(inbox, wanted);
    const limits = await readLimits(inbox);
    console.result(limits);
    for (const name of LIMIT_NAMES) {
      const changed = before[name] === limits[name] ? "" : `, was ${show(name, before[name])}`;
      console.say(`--${flag(name)} ${show(name, limits[name])}${changed}: ${LIMITS[name]}`);
    }
    return EXIT.OK;
  },
});

/** A size, a number, or a time, which may be `off`. */
function parserOf(name: Limit): (text: string) => number | "off" {
  if (isBytes(name)) return size(0, Number.MAX_SAFE_INTEGER);
  if (!isTime(name)) return integer(0, Number.MAX_SAFE_INTEGER);
  return (text) => text === "off" ? text : duration(1)(text);
}

function show(name: Limit, value: number | null): string {
  if (value === null) return "off";
  if (isTime(name)) return showDuration(value);
  return isBytes(name) ? showBytes(value) : value.toLocaleString("en-US");
}
