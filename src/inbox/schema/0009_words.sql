-- The field's words. What was called otherwise goes; functions/ has what took its place.

ALTER TABLE omoide.delivery RENAME COLUMN begun_in_life TO started_in_life;
DROP FUNCTION IF EXISTS
  omoide.begin(bigint[]),
  omoide.unbegin(bigint[]),
  omoide.mend_deliveries(smallint),
  -- Its column verdict is called result.
  omoide.acknowledge(bigint[], bytea[], bigint[], text[], text[]);
