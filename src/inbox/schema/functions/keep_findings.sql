-- As report_findings, of a storage that the caller names; returns how many counted. Internal.
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
    SELECT DISTINCT ON (g.kind, g.path) g.kind, left(g.path, 1000) AS path, left(g.detail, 500) AS detail
    FROM unnest(p_kinds, p_paths, p_details, p_media_ids) AS g (kind, path, detail, media_id)
    WHERE g.media_id IS NULL OR (
      SELECT true FROM omoide.stored r
      WHERE r.storage_id = p_storage AND r.media_id = g.media_id LIMIT 1
    )
  ), known AS (
    UPDATE omoide.found f SET seen_at = clock_timestamp(), detail = g.detail
    FROM given g
    WHERE f.storage_id = p_storage AND f.kind = g.kind AND md5(f.path) = md5(g.path)
      AND f.closed_at IS NULL
    RETURNING f.kind, f.path
  ), kept AS (
    INSERT INTO omoide.found (storage_id, kind, depth, path, detail, found_at, seen_at)
    SELECT p_storage, g.kind, p_depth, g.path, g.detail, clock_timestamp(), clock_timestamp()
    FROM given g
    WHERE NOT EXISTS (SELECT FROM known k WHERE k.kind = g.kind AND k.path = g.path)
    LIMIT greatest(0, 10000 - v_open)
    ON CONFLICT DO NOTHING
  )
  SELECT count(*) INTO v_counted FROM given;
  UPDATE omoide.look l SET findings = l.findings + v_counted
  WHERE l.storage_id = p_storage AND l.depth = p_depth;
  RETURN v_counted;
END $$;
