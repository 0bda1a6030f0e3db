-- An owner's items that record_item knows, newest first: those before `p_before` (null: the newest).
CREATE OR REPLACE FUNCTION omoide.list_items(p_owner uuid, p_before bigint, p_limit int)
RETURNS TABLE (
  seq bigint, item_uuid uuid, file_name text, last_modified timestamptz, recorded_at timestamptz
) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT i.seq, i.item_uuid, i.file_name, i.last_modified, i.recorded_at FROM omoide.item i
  WHERE i.owner_uuid = p_owner AND i.seq < coalesce(p_before, 9223372036854775807)
  ORDER BY i.seq DESC LIMIT least(greatest(p_limit, 0), 1000)
$$;
