-- Turns deliveries into receipts of the root with that identity, which take_storage() was called with: a
-- session that is older than `storage replace` would otherwise speak for the new root.
--
-- Checksum and size are compared with the inbox's own, because ids come again after a failover or a
-- restore; the path, if it is not the usual one, with the only other one that the media may have, because
-- tools go by it. Per row: 'acknowledged', 'repeated' (there was a receipt already), 'unknown' (no such
-- media, or not owed to this storage), 'mismatch' (another media has this id now, or it is another's path);
-- the last two change nothing.
CREATE OR REPLACE FUNCTION omoide.acknowledge(
  p_identity uuid, p_ids bigint[], p_sha256 bytea[], p_sizes bigint[], p_outcomes text[],
  p_paths text[]
)
RETURNS TABLE (media_id bigint, result text)
LANGUAGE plpgsql ROWS 1000 SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  v_storage omoide.storage := omoide.own_storage();
BEGIN
  -- Waits for a replacement that is under way, and makes one wait; nothing else takes a lock that
  -- conflicts with this one.
  SELECT * INTO STRICT v_storage FROM omoide.storage s WHERE s.id = v_storage.id FOR KEY SHARE;
  PERFORM omoide.refuse_other_identity(v_storage, p_identity);
  PERFORM omoide.refuse_distrusted(v_storage);
  RETURN QUERY
  WITH given AS MATERIALIZED (
    SELECT * FROM unnest(p_ids, p_sha256, p_sizes, p_outcomes, p_paths)
      AS g (id, sha256, size, outcome, path)
  ), judged AS MATERIALIZED (
    SELECT g.id, g.outcome, g.path,
      CASE
        WHEN m.id IS NULL THEN 'unknown'
        WHEN (m.sha256, m.size) IS DISTINCT FROM (g.sha256, g.size) THEN 'mismatch'
        WHEN g.path <> omoide.public_path(m.media_type, m.owner_uuid, m.item_uuid, m.ext, m.sha256, false,
          v_storage.prefix_size)
          THEN 'mismatch'
        WHEN r.has THEN 'repeated'
        WHEN d.has THEN 'acknowledged'
        ELSE 'unknown'
      END AS result
    FROM given g
    LEFT JOIN LATERAL (
      SELECT * FROM omoide.media i WHERE i.id = g.id LIMIT 1
    ) m ON true
    LEFT JOIN LATERAL (
      SELECT true AS has FROM omoide.stored i
      WHERE i.storage_id = v_storage.id AND i.media_id = g.id LIMIT 1
    ) r ON true
    LEFT JOIN LATERAL (
      SELECT true AS has FROM omoide.delivery i
      WHERE i.storage_id = v_storage.id AND i.media_id = g.id LIMIT 1
    ) d ON true
  ), done AS (
    DELETE FROM omoide.delivery d
    WHERE d.storage_id = v_storage.id AND d.media_id = ANY (
      ARRAY(SELECT j.id FROM judged j WHERE j.result IN ('acknowledged', 'repeated'))
    )
    RETURNING d.media_id
  ), receipts AS (
    -- Whoever takes the delivery away makes the receipt, so two never make the same one. (ON CONFLICT DO NOTHING
    -- would write each row to the WAL twice: 48 bytes.) IS TRUE keeps the planner from a join.
    INSERT INTO omoide.stored (storage_id, media_id, outcome, path)
    SELECT DISTINCT ON (j.id) v_storage.id, j.id, j.outcome::omoide.outcome, j.path
    FROM judged j
    WHERE j.result = 'acknowledged' AND (j.id IN (SELECT g.media_id FROM done g)) IS TRUE
    ORDER BY j.id
  )
  SELECT j.id, j.result FROM judged j;
END $$;
