-- How each storage has been: a row for each minute of two days and each hour of a year, written by its
-- worker's heartbeat and taken away by its sweep. At most some 12,000 rows of a storage.
--
-- Rejected: a row per heartbeat (six times as many); a monitor that keeps what it has seen (it would have to
-- run always, and be allowed to write).
CREATE TABLE omoide.measurement (
  storage_id smallint NOT NULL REFERENCES omoide.storage,
  span text NOT NULL CHECK (span IN ('minute', 'hour')),
  -- When it began.
  at timestamptz NOT NULL,
  -- Stored meanwhile.
  stored_media bigint NOT NULL,
  stored_bytes bigint NOT NULL,
  -- As it last was. Null until a sweep has counted.
  owed bigint,
  oldest_sealed_at timestamptz,
  state text NOT NULL,
  free_bytes bigint,
  total_bytes bigint,
  PRIMARY KEY (storage_id, span, at)
  -- Each row is updated six times a minute: in place.
) WITH (fillfactor = 50);
