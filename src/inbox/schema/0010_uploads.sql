-- Uploads that come in over many requests, tokens of owners, and what people call an item.

-- What an application has begun to bring and not finished: a pending upload. Its chunks lie in media_chunk
-- under the id that its media will have, so finishing copies nothing; no worker can see them, since it is
-- owed nothing of that id (my_chunk).
CREATE TABLE omoide.upload (
  id bigint PRIMARY KEY,
  -- The application's word for it, random: opening may be repeated, and nobody guesses another's.
  key uuid NOT NULL UNIQUE,
  owner_uuid uuid NOT NULL,
  item_uuid uuid NOT NULL,
  media_type text NOT NULL,
  ext text NOT NULL,
  size bigint NOT NULL CHECK (size >= 0),
  -- Bytes stored: whole chunks, then what does not fill one yet.
  chunks int NOT NULL DEFAULT 0 CHECK (chunks >= 0),
  tail bytea NOT NULL DEFAULT '' CHECK (octet_length(tail) < 262144),
  -- The application's, of the checksum over the bytes stored. Written with them, so they cannot disagree.
  hash_state bytea CHECK (octet_length(hash_state) <= 256),
  -- The day (UTC) that was charged for it.
  day date NOT NULL,
  opened_at timestamptz NOT NULL DEFAULT now(),
  touched_at timestamptz NOT NULL DEFAULT now(),
  -- After this nothing can be added, and sweep() takes it away. -infinity: cancelled, or half gone already.
  expires_at timestamptz NOT NULL,
  -- Set when finished: the media that has these bytes. The row stays until it expires, so that an answer
  -- that was lost can be given again.
  media_id bigint
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
ALTER TABLE omoide.upload ALTER COLUMN tail SET STORAGE EXTERNAL;
CREATE INDEX upload_owner ON omoide.upload (owner_uuid) WHERE media_id IS NULL;
CREATE INDEX upload_expires ON omoide.upload (expires_at);

ALTER TABLE omoide.settings
  -- What pending uploads may hold, within max_inbox_bytes, which counts them too. As much as one media may
  -- have, so that none is too large to be uploaded; less than the inbox, so that submit_media still works
  -- when nothing more fits here.
  ADD COLUMN max_pending_bytes bigint NOT NULL DEFAULT 4 * 1024::bigint ^ 3
    CHECK (max_pending_bytes >= 0),
  ADD COLUMN owner_pending_uploads bigint NOT NULL DEFAULT 64 CHECK (owner_pending_uploads >= 0),
  ADD COLUMN all_pending_uploads bigint NOT NULL DEFAULT 1000 CHECK (all_pending_uploads >= 0),
  -- A pending upload to which nothing was added for so long, or that is so old, goes.
  ADD COLUMN upload_idle interval NOT NULL DEFAULT '1 day' CHECK (upload_idle > interval '0'),
  ADD COLUMN upload_age interval NOT NULL DEFAULT '7 days' CHECK (upload_age > interval '0');

-- Who a request comes from. Written by `admin token` only; whoever holds the application's role can ask
-- about a token that it was given, and list none.
CREATE TABLE omoide.token (
  id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  -- Of the token's text: 32 random bytes, so neither salt nor a slow hash would add anything.
  sha256 bytea NOT NULL UNIQUE CHECK (octet_length(sha256) = 32),
  owner_uuid uuid NOT NULL,
  label text NOT NULL CHECK (length(label) BETWEEN 1 AND 100),
  made_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz,
  revoked_at timestamptz
);

-- What people call an item, as the application was told when it came; never part of a path. Only added to.
CREATE TABLE omoide.item (
  owner_uuid uuid NOT NULL,
  item_uuid uuid NOT NULL,
  -- Counts up as they come, for listing the newest first.
  seq bigint GENERATED ALWAYS AS IDENTITY,
  file_name text NOT NULL CHECK (octet_length(file_name) BETWEEN 1 AND 1024),
  last_modified timestamptz,
  recorded_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (owner_uuid, item_uuid)
);
CREATE UNIQUE INDEX item_recent ON omoide.item (owner_uuid, seq);

-- Their parameters have changed.
DROP FUNCTION IF EXISTS
  omoide.owe(bigint, uuid, bigint, omoide.settings),
  omoide.charge(uuid, bigint, omoide.settings);
