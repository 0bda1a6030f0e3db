/**
 * Where a primary stands in the history of its cluster. Each promotion of a standby begins a timeline with
 * the next number, and what an old primary still commits after it is on a branch that will be thrown away.
 */
export interface Timeline {
  /** PostgreSQL's system identifier: a primary and its standbys share one, no two clusters do. */
  readonly cluster: string;
  /** From 1. */
  readonly number: number;
}

/** As in "timeline 3 of cluster 7712551258605826755". */
export function showTimeline({ cluster, number }: Timeline): string {
  return `timeline ${number} of cluster ${cluster}`;
}
