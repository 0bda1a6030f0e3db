import { duration } from "../../command_line.ts";
import { UsageError } from "../../errors.ts";
import { EXIT } from "../../exit_codes.ts";
import { visible } from "../../terminal.ts";
import { count, showDuration } from "../../units.ts";
import { statusJson } from "../../verdict/verdict.ts";
import { plainCommand } from "../command.ts";
import { type Answer, askFleet, wordOf, worstOf } from "../fleet.ts";
import { memberOf, readFleetList } from "../fleet_list.ts";

interface Options {
  readonly list?: string;
  readonly within: number;
  readonly quick?: boolean;
}

export const fleetStatus = plainCommand<Options>({
  usage: "status [database...]",
  summary: "is everything safe, in every inbox of a list?",
  description:
    "Asks every inbox what `inbox status` asks, all at the same time, and shows a line for each; then " +
    "what must be looked at, and the worst verdict, which is the exit status too. One that gives no " +
    "answer is UNKNOWN, and hides nothing of the others. A line of the list is [LABEL] ADDRESS " +
    "[PASSWORD-FILE], the file relative to the list; # begins a comment. Who asks is omoide_monitor " +
    "unless the address names another role, with PGPASSWORD unless the line has a password.",
  options: [
    ["--list <file>", "the inboxes, one a line; or name their addresses as arguments"],
    ["--within <time>", "how long one may take to answer", duration(1), "30s"],
    ["--quick", "don't count the copies of everything that was ever stored: for frequent checks"],
  ],
  examples: [
    "omoide-admin fleet status --list /etc/omoide/fleet",
    "omoide-admin fleet status postgres://omoide_monitor@db1.lan/omoide postgres://omoide_monitor@db2.lan/omoide",
    "omoide-admin fleet status --list fleet --json | jq '.inboxes[] | select(.verdict != \"safe\")'",
  ],
  exits: {
    [EXIT.OK]: "safe: in every inbox, every media is in every storage",
    [EXIT.BEHIND]: "behind: something is still owed in one of them, and its workers are at it",
    [EXIT.ATTENTION]: "attention: someone must act in one of them",
    [EXIT.TRY_AGAIN]: "unknown: one gave no answer, and no other needs someone",
    [EXIT.CONFIGURATION]: "unknown: one cannot be asked (role, password, version), likewise",
  },
  need: "ask",
  run: async (urls, { list, within, quick }, { console }) => {
    const members = [...urls.map(memberOf), ...(list === undefined ? [] : readFleetList(list))];
    if (members.length === 0) throw new UsageError("name the inboxes: --list FILE, or addresses");
    const answers = await askFleet(members, within * 1000, quick === true);
    const { word, code } = worstOf(answers);
    console.result({ verdict: word, inboxes: answers.map(answerJson) });
    for (const line of table([HEAD, ...answers.map(row)])) console.say(line);
    for (const line of answers.flatMap(details)) console.say(line);
    for (const [a, b] of doubles(answers)) console.say(`! ${a} and ${b} are the same inbox`);
    console.say(sentence(answers, word, quick !== true));
    return code;
  },
});

function answerJson(answer: Answer) {
  const { label } = answer;
  if (answer.status === null) return { label, verdict: "unknown", error: answer.error };
  return { label, ...statusJson(answer.status, answer.verdict) };
}

const HEAD = ["inbox", "verdict", "in it", "owed", "oldest", "parked", "storages"];

function row(answer: Answer): string[] {
  const word = wordOf(answer).toUpperCase();
  if (answer.status === null) return [answer.label, word, "?", "?", "?", "?", "?"];
  const { media } = answer.status;
  const active = answer.status.storages.filter(({ retired }) => !retired);
  const sum = (of: (storage: (typeof active)[number]) => number) =>
    active.reduce((total, storage) => total + of(storage), 0).toLocaleString("en-US");
  const oldest = Math.max(...active.map(({ oldestOwedAge }) => oldestOwedAge ?? -1), -1);
  return [
    ...[answer.label, word, media.toLocaleString("en-US"), sum(({ owed }) => owed)],
    ...[oldest < 0 ? "-" : showDuration(oldest), sum(({ parked }) => parked), `${active.length}`],
  ];
}

/** Columns, each as wide as its widest cell is on the screen: numbers to the right. */
function table(rows: readonly (readonly string[])[]): string[] {
  const cells = rows.map((cells) => cells.map(visible));
  const widths = HEAD.map((_, n) => Math.max(...cells.map((row) => row[n]?.length ?? 0)));
  return cells.map((row) =>
    row.map((cell, n) => n < 2 ? cell.padEnd(widths[n] ?? 0) : cell.padStart(widths[n] ?? 0))
      .join("  ")
  );
}

function details(answer: Answer): string[] {
  const { label } = answer;
  if (answer.status === null) return [`? ${label}: ${answer.error}`];
  const { attention, behind } = answer.verdict;
  return [
    ...attention.map((each) => `! ${label}: ${each}`),
    ...behind.map((each) => `- ${label}: ${each}`),
  ];
}

/** A list that names one inbox twice may leave out the one that was meant. */
function doubles(answers: readonly Answer[]): [string, string][] {
  const seen = new Map<string, string>();
  return answers.flatMap(({ label, status }): [string, string][] => {
    if (status === null) return [];
    const other = seen.get(status.inbox);
    seen.set(status.inbox, label);
    return other === undefined ? [] : [[other, label]];
  });
}

function sentence(answers: readonly Answer[], word: string, counted: boolean): string {
  const all = count(answers.length, "inbox", "inboxes");
  if (word === "safe") {
    return `SAFE: nothing is missing in any storage of ${all}${
      counted ? "" : " (copies not counted)"
    }.`;
  }
  const parts = (["attention", "unknown", "behind"] as const).flatMap((each) => {
    const found = answers.filter((answer) => wordOf(answer) === each).length;
    return found === 0 ? [] : [`${found} ${each}`];
  });
  return `${word.toUpperCase()}: of ${all}, ${parts.join(", ")}.`;
}
