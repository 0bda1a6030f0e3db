/**
 * Which part of what is owed to a storage a session carries: the media whose id modulo `count` is one of
 * `mine`. Why, and how lanes are shared out: ../worker/README.md.
 */
export interface Lanes {
  readonly count: number;
  /** In no order; empty while other sessions still have what is due to this one. */
  readonly mine: readonly number[];
}
