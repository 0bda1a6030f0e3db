-- The ledger by what is asked of it: a million owners on one day have a million slots.

ALTER TABLE omoide.ledger
  -- Made since fold_ledger() last looked, which looks at the accounts of these alone: counting everybody's
  -- slots took 4.3 s at a million owners, in every sweep.
  ADD COLUMN is_new boolean NOT NULL DEFAULT true,
  -- How much was used, in steps of a seventh, so that few updates change it and the others stay HOT: who is
  -- nearest to a limit is found by it. A media counts as 512 KiB, the ratio of the limits by default.
  ADD COLUMN weight smallint NOT NULL
    GENERATED ALWAYS AS ((7 * ln(greatest(bytes::float8, media::float8 * 524288, 1)))::smallint) STORED;
CREATE INDEX ledger_new ON omoide.ledger (slot) WHERE is_new;
CREATE INDEX ledger_heavy ON omoide.ledger (day, weight DESC)
  WHERE day > '-infinity' AND account <> '00000000-0000-0000-0000-000000000000';
