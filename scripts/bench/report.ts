/** What was measured, as JSON for programs and as tables for people. */
import { type FigureName, FIGURES } from "./figures.ts";
import type { Measured, Target } from "./scenario.ts";
import { median } from "./statistics.ts";

export interface FigureReport {
  readonly figure: FigureName;
  readonly unit: string;
  readonly median: number;
  readonly least: number;
  readonly most: number;
  readonly rounds: readonly number[];
}

export interface TargetReport {
  /** In words. */
  readonly target: string;
  readonly value: number;
  readonly met: boolean;
}

export interface ScenarioReport {
  readonly name: string;
  readonly title: string;
  readonly contenders: Readonly<Record<string, readonly FigureReport[]>>;
  /** How many times the other's figure the first contender's is, round by round. */
  readonly ratios: Readonly<Record<string, { median: number; rounds: readonly number[] }>>;
  readonly targets: readonly TargetReport[];
}

export function reportOf(measured: Measured): ScenarioReport {
  const { scenario } = measured;
  const [first = "", ...others] = Object.keys(scenario.contenders);
  const { compared } = scenario;
  return {
    name: scenario.name,
    title: scenario.title,
    contenders: Object.fromEntries(
      [first, ...others].map((name) => [name, figuresOf(measured, name)]),
    ),
    ratios: compared === undefined ? {} : Object.fromEntries(others.map((other) => {
      const rounds = ratiosOf(measured, compared, first, other);
      return [other, { median: median(rounds), rounds }];
    })),
    targets: (scenario.targets ?? []).map((target) => judge(measured, target)),
  };
}

function figuresOf(measured: Measured, contender: string): FigureReport[] {
  return (Object.keys(FIGURES) as FigureName[]).flatMap((figure) => {
    const rounds = valuesOf(measured, figure, contender);
    if (rounds.length === 0) return [];
    const [least, most] = [Math.min(...rounds), Math.max(...rounds)];
    return [{ figure, unit: FIGURES[figure], median: median(rounds), least, most, rounds }];
  });
}

function valuesOf({ rounds }: Measured, figure: FigureName, contender: string): number[] {
  return (rounds[contender] ?? []).flatMap((figures) => figures[figure] ?? []);
}

/** Round by round: the machine's speed drifts between them. */
function ratiosOf(measured: Measured, figure: FigureName, one: string, other: string): number[] {
  const others = valuesOf(measured, figure, other);
  return valuesOf(measured, figure, one).map((value, round) => value / (others[round] ?? NaN));
}

function judge(measured: Measured, target: Target): TargetReport {
  const { figure, to, least, most, everyRound = false } = target;
  const [first = ""] = Object.keys(measured.scenario.contenders);
  const { of = first } = target;
  const rounds = to === undefined
    ? valuesOf(measured, figure, of)
    : ratiosOf(measured, figure, of, to);
  const value = !everyRound
    ? median(rounds)
    : least === undefined
    ? Math.max(...rounds)
    : Math.min(...rounds);
  const bound = least === undefined ? `at most ${shown(most ?? 0)}` : `at least ${shown(least)}`;
  const where = to === undefined ? "" : ` of "${to}"`;
  return {
    target: `"${of}": ${figure} ${bound}${where}${everyRound ? " in every round" : ""}`,
    value,
    met: value >= (least ?? -Infinity) && value <= (most ?? Infinity),
  };
}

/** As people read it, one line per figure, the contenders side by side. */
export function tableOf(report: ScenarioReport): string[] {
  const names = Object.keys(report.contenders);
  const rows = (Object.keys(FIGURES) as FigureName[]).flatMap((name) => {
    const cells = names.map((contender) => {
      const found = report.contenders[contender]?.find(({ figure }) => figure === name);
      return found === undefined
        ? ""
        : `${shown(found.median)} (${shown(found.least)}–${shown(found.most)})`;
    });
    return cells.some((cell) => cell !== "") ? [[name, ...cells]] : [];
  });
  const table = [["", ...names], ...rows];
  const widths = ["", ...names].map((_, column) =>
    Math.max(...table.map((row) => row[column]?.length ?? 0))
  );
  const [first = ""] = names;
  return [
    report.title,
    ...table.map((row) =>
      "  " + row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ").trimEnd()
    ),
    ...Object.entries(report.ratios).map(([other, ratio]) =>
      `  ${first} / ${other}: ${shown(ratio.median)} (${ratio.rounds.map(shown).join(", ")})`
    ),
    ...report.targets.map(({ target, value, met }) =>
      `  ${met ? "met   " : "MISSED"} ${target}: ${shown(value)}`
    ),
  ];
}

/** Three digits that mean something. */
function shown(value: number): string {
  if (!Number.isFinite(value)) return "–";
  return value >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}
