-- Bytes of the files of each generation; the first is generation 0's. Internal.
CREATE OR REPLACE FUNCTION omoide.all_file_bytes()
RETURNS bigint[] LANGUAGE plpgsql AS $$
BEGIN
  RETURN ARRAY(SELECT omoide.file_bytes(g) FROM generate_series(0, 15) AS g ORDER BY g);
END $$;
