-- Whether a generation has bytes that are still owed: whatever is committed and not released.
-- (What is uncommitted has a lock on the generation.) Internal.
CREATE OR REPLACE FUNCTION omoide.is_waited_for(p_generation int)
RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  RETURN EXISTS (SELECT FROM omoide.blobs(p_generation));
END $$;
