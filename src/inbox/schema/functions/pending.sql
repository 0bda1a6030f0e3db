-- The next media that are due to this storage, by id, of its lanes p_mine of p_lanes; generation: where their
-- chunks are at this moment.
CREATE OR REPLACE FUNCTION omoide.pending(
  p_after bigint, p_limit int, p_lanes int DEFAULT 1, p_mine int[] DEFAULT '{0}'
)
RETURNS TABLE (
  media_id bigint, owner_uuid uuid, item_uuid uuid, media_type text, ext text, public_name text,
  size bigint, sha256 bytea, attempts int, generation int
) LANGUAGE plpgsql STABLE ROWS 1000 SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  v_id constant smallint := (omoide.own_storage()).id;
BEGIN
  RETURN QUERY
  SELECT m.id, m.owner_uuid, m.item_uuid, m.media_type::text, m.ext,
    omoide.public_name(m.item_uuid, m.ext, m.sha256, m.has_plain_name), m.size, m.sha256, d.attempts,
    w.generation
  FROM (
    SELECT q.media_id, q.attempts FROM omoide.delivery q
    WHERE q.storage_id = v_id AND q.media_id > p_after AND q.parked_at IS NULL
      AND q.media_id % p_lanes = ANY (p_mine)
      -- No pause is longer than an hour: what is due later was written by a clock that has since been
      -- set back.
      AND (q.next_attempt_at <= now() OR q.next_attempt_at > now() + interval '61 minutes')
    ORDER BY q.media_id LIMIT p_limit
  ) d
  CROSS JOIN LATERAL (
    -- A storage that was registered while a media was being released: owed, and gone. See sweep().
    SELECT i.generation FROM omoide.waiting i WHERE i.media_id = d.media_id LIMIT 1
  ) w
  CROSS JOIN LATERAL (SELECT * FROM omoide.media i WHERE i.id = d.media_id LIMIT 1) m
  ORDER BY d.media_id;
END $$;
