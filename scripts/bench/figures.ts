/** What the statements of an inbox take of a processor in the server. */
const STATEMENTS = {
  submit_ms: "ms of processor for submit_media",
  find_ms: "ms of processor for find_media",
  list_ms: "ms of processor for list_items",
  pending_ms: "ms of processor for pending, 4,096 media",
  acknowledge_ms: "ms of processor for acknowledge, 1,024 media",
  release_ms: "ms of processor for release, 1,024 media",
  heartbeat_ms: "ms of processor for heartbeat",
  sweep_ms: "ms of processor for sweep",
  recycle_ms: "ms of processor for recycle",
  status_ms: "ms of processor for the status, which a scrape and the page ask too",
  counts_ms: "ms of processor for the copies, and what each storage has",
  page_ms: "ms of processor for what the page names one by one, and the history",
  scrub_ms: "ms of processor for a scrub's 1,000 receipts",
  rebuild_ms: "ms of processor for a batch of rebuild, 500 files",
  purge_ms: "ms of processor for purging the receipts of 500 files",
} as const;

export type StatementName = keyof typeof STATEMENTS;
export const STATEMENT_NAMES = Object.keys(STATEMENTS) as StatementName[];

/** What is measured: each figure's unit, in the order in which they are shown. */
export const FIGURES = {
  media_per_s: "media/s until the last receipt",
  mb_per_s: "MB/s until the last receipt",
  all_done_mb_per_s: "MB/s until nothing is left to do: blobs gone, vacuum and checkpoint done",
  database_s_per_gb: "s of processor of the database per GB, from coming in until nothing is left",
  database_user_s_per_gb: "s, of which in PostgreSQL itself",
  database_system_s_per_gb: "s, of which in the kernel",
  coming_in_database_s_per_gb: "s of processor of the database per GB, for coming in alone",
  worker_s_per_gb: "s of processor of the workers per GB, both together",
  worker_user_s_per_gb: "s, of which in the workers themselves",
  worker_system_s_per_gb: "s, of which in the kernel",
  kernel_s_per_gb: "s of processor of the kernel's own threads per GB",
  processor_s_per_1000: "s of processor of all of these per 1,000 media",
  wal_per_byte: "bytes of WAL per byte",
  coming_in_wal_per_byte: "bytes of WAL per byte, for coming in alone",
  peak_memory_mb: "MB, the most that one worker, or the gateway, had",
  statements_per_media: "statements of the workers per media, both together",
  worker_fsyncs_per_media: "fsync and fdatasync of the workers per media, both together",
  database_fsyncs_per_media: "fsync and fdatasync of the database per media",
  received_mb_per_s: "MB/s until the last upload is answered",
  gateway_s_per_gb: "s of processor of the gateway per GB",
  client_s_per_gb: "s of processor of the client per GB: the benchmark itself",
  busy_percent: "% of all cores that were busy meanwhile, with others' work too",
  submits_per_s: "submits/s",
  submit_p50_ms: "ms for one submit, median",
  latency_p50_ms: "ms from a submit's answer to both receipts, median",
  latency_p99_ms: "ms, 99th percentile",
  read_mb_per_s: "MB/s that are read and summed",
  reader_s_per_gb: "s of processor of whoever reads per GB, its start included",
  beat_p50_ms: "ms for a heartbeat with its history, median",
  beat_p99_ms: "ms, 99th percentile",
  beat_database_ms: "ms of processor of the database for a heartbeat",
  seconds: "s",
  core_percent: "% of a core, the busier worker, or the gateway",
  peak_live_mb: "MB, the most that waited in the inbox",
  peak_files_mb: "MB, the most that the inbox's files had",
  files_beyond_live_mb: "MB, the most that files had beyond what waited",
  ...STATEMENTS,
  bytes_per_media: "bytes that a media takes in the database for good",
  others_cores: "cores that others used meanwhile: noise",
} as const;

export type FigureName = keyof typeof FIGURES;

/** What one run of one contender measured. */
export type Figures = { readonly [name in FigureName]?: number };
