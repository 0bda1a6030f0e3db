-- Owes media to a storage from the start: as never tried, even if it was failing or parked. Returns the
-- media's ids. Internal, and the administrator's.
CREATE OR REPLACE FUNCTION omoide.owe_again(p_storage smallint, p_ids bigint[])
RETURNS SETOF bigint LANGUAGE sql AS $$
  INSERT INTO omoide.delivery AS d (storage_id, media_id, size)
  SELECT p_storage, i.id, coalesce(m.size, 0) FROM unnest(p_ids) AS i (id)
  LEFT JOIN LATERAL (SELECT a.size FROM omoide.media a WHERE a.id = i.id LIMIT 1) m ON true
  ON CONFLICT (storage_id, media_id) DO UPDATE
  SET attempts = 0, next_attempt_at = '-infinity', parked_at = NULL, started_in_life = NULL
  RETURNING d.media_id
$$;
