/**
 * Which part of what is owed to a storage a session carries: the media whose id modulo `count` is one of
 * `mine`. Why, and how lanes are shared out: ../worker/README.md.
 */
export interface Lanes {
  readonly count: number;
  /** In no order; none while others have not given back what is due to this one. */
  readonly mine: readonly number[];
}
