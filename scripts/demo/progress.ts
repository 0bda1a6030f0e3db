// @ts-types="@types/cli-progress"
import cliProgress from "cli-progress";

/** Shows how far several things are: bars on a terminal, a plain line for each quarter elsewhere. */
export interface Progress {
  /** `done` of that thing's total. */
  update(name: string, done: number): void;
  stop(): void;
}

/** @param totals what there is to show, by name */
export function showProgress(totals: Readonly<Record<string, number>>): Progress {
  return Deno.stdout.isTerminal() ? bars(totals) : lines(totals);
}

function bars(totals: Readonly<Record<string, number>>): Progress {
  const multi = new cliProgress.MultiBar({
    format: "  {name} {bar} {value}/{total}  {duration_formatted}",
    hideCursor: true,
    barsize: 36,
  }, cliProgress.Presets.shades_classic);
  const width = Math.max(...Object.keys(totals).map((name) => name.length));
  const bar = new Map(
    Object.entries(totals).map(([name, total]) => [
      name,
      multi.create(total, 0, { name: name.padEnd(width) }),
    ]),
  );
  return { update: (name, done) => bar.get(name)?.update(done), stop: () => multi.stop() };
}

function lines(totals: Readonly<Record<string, number>>): Progress {
  const said = new Map<string, number>();
  return {
    update(name, done) {
      const total = totals[name] ?? 0;
      const quarter = total === 0 ? 4 : Math.floor(4 * done / total);
      if (quarter <= (said.get(name) ?? 0)) return;
      said.set(name, quarter);
      console.log(`  ${name}: ${done}/${total}`);
    },
    stop() {},
  };
}
