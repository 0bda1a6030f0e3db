-- What looks at the storages have found, and how far they are.

-- One row for each storage and depth. A look is made by a scrub, or by an administrator's `storage verify`.
CREATE TABLE omoide.look (
  storage_id smallint NOT NULL REFERENCES omoide.storage,
  -- shallow: every receipt's file is there with its size and its object, and every name in the tree is
  -- known. deep: every object has the bytes that its name says.
  depth text NOT NULL CHECK (depth IN ('shallow', 'deep')),
  -- Of the look that is under way; null between two.
  started_at timestamptz,
  -- Where it goes on after a restart; a word of the scrub's own.
  position text CHECK (octet_length(position) <= 1024),
  seen_at timestamptz,
  files bigint NOT NULL DEFAULT 0,
  bytes bigint NOT NULL DEFAULT 0,
  -- Findings that it reported, those beyond the bound on rows of `found` included.
  findings bigint NOT NULL DEFAULT 0,
  -- Of the last look that came to its end.
  last_started_at timestamptz,
  finished_at timestamptz,
  finished_files bigint,
  finished_bytes bigint,
  finished_findings bigint,
  PRIMARY KEY (storage_id, depth)
) WITH (fillfactor = 50);

-- What a look found wrong. Closed by a later look that finds it well, and then kept for a year.
CREATE TABLE omoide.found (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  storage_id smallint NOT NULL REFERENCES omoide.storage,
  kind text NOT NULL CHECK (kind IN ('missing', 'corrupt', 'unreadable', 'unexpected', 'wrong size',
    'receipt without file', 'file without receipt')),
  -- The depth of the looks that can say that it is well again.
  depth text NOT NULL CHECK (depth IN ('shallow', 'deep')),
  -- Relative to the root, as the tree has it: not to be trusted, nor shown without escaping.
  path text NOT NULL CHECK (octet_length(path) <= 4096),
  detail text NOT NULL CHECK (octet_length(detail) <= 2000),
  found_at timestamptz NOT NULL DEFAULT now(),
  seen_at timestamptz NOT NULL DEFAULT now(),
  closed_at timestamptz
);
-- By a digest, since a path may be longer than an index takes.
CREATE UNIQUE INDEX found_open ON omoide.found (storage_id, kind, md5(path)) WHERE closed_at IS NULL;
CREATE INDEX found_closed ON omoide.found (closed_at) WHERE closed_at IS NOT NULL;

ALTER TABLE omoide.settings
  -- Seconds within which each storage should have been read to its end. A storage that was not within
  -- twice as long is a matter for the administrator. Null: nobody scrubs here, and the verdict says so.
  ADD COLUMN scrub_cycle interval DEFAULT '30 days' CHECK (scrub_cycle >= interval '1 hour');
