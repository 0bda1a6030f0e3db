/** What the view `durability` says of the database itself. */
export type Durability = {
  readonly fsync: boolean;
  readonly full_page_writes: boolean;
  readonly data_sync_retry: boolean;
  readonly zero_damaged_pages: boolean;
  /** The default. false if a commit is confirmed before it is on stable storage. */
  readonly synchronous_commit: boolean;
  readonly data_checksums: boolean;
  /** Tables that a crash empties. */
  readonly unlogged: readonly string[];
  /** Whether a commit waits for a standby. */
  readonly awaits_standby: boolean;
};

export const ASK_DURABILITY = "SELECT * FROM omoide.durability";

/** Sentences for people, each with its fix. */
export interface DurabilityVerdict {
  /** A crash can take what was committed: nothing in this inbox is safe. */
  readonly broken: readonly string[];
  /** What an administrator should know, and may have decided. */
  readonly notes: readonly string[];
}

/**
 * Whether a database keeps what it commits. Until a worker has a media, the inbox is its only copy.
 *
 * @param servers how many of them `--database` names
 */
export function judgeDurability(found: Durability, servers = 1): DurabilityVerdict {
  const broken: string[] = [], notes: string[] = [];
  const is = (wrong: boolean, to: string[], sentence: string) => {
    if (wrong) to.push(sentence);
  };
  is(
    !found.fsync,
    broken,
    "the database does not keep what it commits: fsync is off, and a power cut can destroy all of it; " +
      "set fsync = on, and restart the server",
  );
  is(
    !found.full_page_writes,
    broken,
    "the database does not keep what it commits: full_page_writes is off, and a power cut can tear " +
      "its pages; set full_page_writes = on",
  );
  is(
    found.data_sync_retry,
    broken,
    "the database goes on after a failed fsync: data_sync_retry is on; set it to off, and restart",
  );
  is(
    found.zero_damaged_pages,
    broken,
    "the database empties damaged pages instead of refusing them: zero_damaged_pages is on; set it to off",
  );
  is(
    found.unlogged.length > 0,
    broken,
    `a crash empties the inbox's tables ${found.unlogged.join(", ")}: they are unlogged; ` +
      "ALTER TABLE … SET LOGGED",
  );
  is(
    !found.synchronous_commit,
    notes,
    "synchronous_commit is off by default: uploads and every session of these programs turn it on for " +
      "themselves, but whatever else is confirmed here can be lost in a crash; set it to on",
  );
  is(
    servers > 1 && !found.awaits_standby,
    notes,
    "the database has standbys and no commit waits for one: a failover can lose uploads that were " +
      "acknowledged; set synchronous_standby_names, or Patroni's synchronous_mode",
  );
  is(
    !found.data_checksums,
    notes,
    "the database has no data checksums: damage on its disk stays unnoticed until it is read; " +
      "stop the server, and run pg_checksums --enable",
  );
  return { broken, notes };
}
