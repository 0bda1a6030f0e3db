import type { Figures } from "./figures.ts";
import type { Measured, Scenario } from "./scenario.ts";
import type { Stage } from "./stage.ts";

/**
 * Runs every contender once in each round, so that whatever drifts on this machine drifts for all; every
 * second round backwards, so that nobody always comes behind the same.
 */
export async function runRounds(
  scenario: Scenario,
  stage: Stage,
  rounds: number,
  progress: (line: string) => void,
): Promise<Measured> {
  const names = Object.keys(scenario.contenders);
  const measured: Record<string, Figures[]> = Object.fromEntries(names.map((name) => [name, []]));
  const wanted = scenario.once ? 1 : rounds;
  for (let round = 1; round <= wanted; round++) {
    for (const name of round % 2 === 1 ? names : names.toReversed()) {
      progress(`${scenario.name}, round ${round} of ${wanted}: ${name}`);
      const figures = await scenario.contenders[name]?.(stage);
      if (figures === undefined) continue;
      measured[name]?.push(figures);
      // An hour's figures are not lost when the machine is needed.
      progress(`  ${JSON.stringify(figures)}`);
    }
  }
  return { scenario, rounds: measured };
}
