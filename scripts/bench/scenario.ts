import type { FigureName, Figures } from "./figures.ts";
import type { Contender } from "./stage.ts";

/** What is measured side by side. */
export interface Scenario {
  /** For `--only`. */
  readonly name: string;
  readonly title: string;
  /** In each round each of these once. The first is what all others are compared with. */
  readonly contenders: Readonly<Record<string, Contender>>;
  /** The figure that they are compared by, round by round. */
  readonly compared?: FigureName;
  readonly targets?: readonly Target[];
  /** Counts do not vary: one round of it, however many others have. */
  readonly once?: true;
  /** Takes minutes: only when it is named. */
  readonly long?: true;
}

/** What a figure of the first contender, or its ratio to another's, should be. */
export interface Target {
  readonly figure: FigureName;
  /** The ratio to this contender's figure. */
  readonly to?: string;
  /** Another contender than the first. */
  readonly of?: string;
  readonly least?: number;
  readonly most?: number;
  /** Each round, not the median. */
  readonly everyRound?: true;
}

/** What all rounds of a scenario measured: of each contender, each round's figures. */
export interface Measured {
  readonly scenario: Scenario;
  readonly rounds: Readonly<Record<string, readonly Figures[]>>;
}
