/** Some media whose chunks are in one generation, in the order in which they were asked for. */
export interface Run {
  readonly generation: number;
  readonly mediaIds: readonly bigint[];
}

/** Four pages of `pending`. */
const MOST = 4 * 4096;

/**
 * In which generation each media's chunks are, as the inbox last said. A COPY names it as a number, so that
 * it locks that one alone. Only a memory: chunks can be moved at any time.
 */
export class ChunkPlaces {
  readonly #generations = new Map<bigint, number>();

  note(mediaId: bigint, generation: number): void {
    if (this.#generations.size >= MOST) this.#generations.clear();
    this.#generations.set(mediaId, generation);
  }

  /** Their chunks were not there. */
  forget(mediaIds: Iterable<bigint>): void {
    for (const id of mediaIds) this.#generations.delete(id);
  }

  /** Those of which it is not known. */
  unknownOf(mediaIds: readonly bigint[]): readonly bigint[] {
    return mediaIds.filter((id) => !this.#generations.has(id));
  }

  /** Splits media into runs of one generation; leaves out those of which it is not known. */
  runsOf(mediaIds: readonly bigint[]): Run[] {
    const runs: { generation: number; mediaIds: bigint[] }[] = [];
    for (const id of mediaIds) {
      const generation = this.#generations.get(id);
      if (generation === undefined) continue;
      const last = runs.at(-1);
      if (last?.generation === generation) last.mediaIds.push(id);
      else runs.push({ generation, mediaIds: [id] });
    }
    return runs;
  }
}
