-- Blocks that must be counted again. Internal.
CREATE OR REPLACE FUNCTION omoide.marked_blocks()
RETURNS bigint[] LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN ARRAY(SELECT DISTINCT k.block FROM omoide.holding_mark k ORDER BY k.block);
END $$;
