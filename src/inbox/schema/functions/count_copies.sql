-- In how many trusted storages the media are that have left the inbox: one pass over all that was ever
-- stored, 50,000 ids at a time. As one statement it sorted or hashed all of it: at a million media that was
-- more than the 64 MB on the disk that whoever only looks may take, and the answer was an error.
CREATE OR REPLACE FUNCTION omoide.count_copies()
RETURNS TABLE (gone bigint, under_replicated bigint, incomplete bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  c_step constant bigint := 50000;
  v_trusted constant smallint[] := ARRAY(
    SELECT s.id FROM omoide.storage s WHERE s.retired_at IS NULL AND s.distrusted_at IS NULL
  );
  v_least constant int := (SELECT t.min_copies FROM omoide.settings t);
  v_last constant bigint := (SELECT max(m.id) FROM omoide.media m);
  v_from bigint := (SELECT min(m.id) FROM omoide.media m) - 1;
  v_part record;
BEGIN
  gone := 0;
  under_replicated := 0;
  incomplete := 0;
  WHILE v_from < v_last LOOP
    SELECT count(*) FILTER (WHERE coalesce(r.copies, 0) = 0) AS gone,
      count(*) FILTER (WHERE r.copies < v_least) AS under_replicated,
      count(*) FILTER (WHERE r.copies >= v_least AND r.copies < cardinality(v_trusted)) AS incomplete
    INTO v_part
    FROM omoide.media m
    LEFT JOIN (
      SELECT h.media_id, count(*) AS copies FROM omoide.stored h
      WHERE h.storage_id = ANY (v_trusted) AND h.media_id > v_from AND h.media_id <= v_from + c_step
      GROUP BY h.media_id
    ) r ON r.media_id = m.id
    WHERE m.id > v_from AND m.id <= v_from + c_step AND m.released_at IS NOT NULL;
    gone := gone + v_part.gone;
    under_replicated := under_replicated + v_part.under_replicated;
    incomplete := incomplete + v_part.incomplete;
    v_from := v_from + c_step;
  END LOOP;
  RETURN NEXT;
END $$;
