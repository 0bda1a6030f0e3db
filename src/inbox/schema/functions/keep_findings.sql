-- Keeps findings of a storage that the caller names; see report_findings. What only `storage verify` can find
-- well has the depth `verify`. Returns how many count. Internal.
--
-- Each is looked up in the index by itself: joined with those that are open, a page of 1,000 took half a
-- minute beside 10,000 of them.
CREATE OR REPLACE FUNCTION omoide.keep_findings(
  p_storage smallint, p_depth text, p_kinds text[], p_paths text[], p_details text[],
  p_media_ids bigint[]
)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  v_counted bigint;
  v_open bigint;
BEGIN
  SELECT count(*) INTO v_open FROM (
    SELECT FROM omoide.found f WHERE f.storage_id = p_storage AND f.closed_at IS NULL LIMIT 10000
  ) o;
  WITH given AS MATERIALIZED (
    SELECT DISTINCT ON (g.kind, left(g.path, 1000)) g.kind, left(g.path, 1000) AS path,
      left(g.detail, 500) AS detail
    FROM unnest(p_kinds, p_paths, p_details, p_media_ids) AS g (kind, path, detail, media_id)
    WHERE g.media_id IS NULL OR (
      SELECT true FROM omoide.stored r
      WHERE r.storage_id = p_storage AND r.media_id = g.media_id LIMIT 1
    )
  ), told AS MATERIALIZED (
    SELECT g.*, (
      SELECT true FROM omoide.found f
      WHERE f.storage_id = p_storage AND f.kind = g.kind AND md5(f.path) = md5(g.path)
        AND f.closed_at IS NULL LIMIT 1
    ) AS is_open
    FROM given g
  ), kept AS (
    INSERT INTO omoide.found (storage_id, kind, depth, path, detail, found_at, seen_at)
    SELECT p_storage, k.kind, p_depth, k.path, k.detail, clock_timestamp(), clock_timestamp()
    FROM (
      SELECT * FROM told t WHERE t.is_open
      UNION ALL
      (SELECT * FROM told t WHERE t.is_open IS NULL LIMIT greatest(0, 10000 - v_open))
    ) k
    ON CONFLICT (storage_id, kind, md5(path)) WHERE closed_at IS NULL
      DO UPDATE SET seen_at = excluded.seen_at, detail = excluded.detail
  )
  SELECT count(*) INTO v_counted FROM given;
  RETURN v_counted;
END $$;
