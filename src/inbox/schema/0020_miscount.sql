-- Counters that were not what they count. There should never be any: an administrator hears of each.
CREATE TABLE omoide.miscount (
  block bigint PRIMARY KEY,
  found_at timestamptz NOT NULL DEFAULT now()
);
-- The block that was looked at last.
CREATE SEQUENCE omoide.checked_block MINVALUE 0 START 0;
