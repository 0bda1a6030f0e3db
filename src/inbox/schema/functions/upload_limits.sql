-- What an upload may be, for whoever announces it before the first byte. One row.
CREATE OR REPLACE FUNCTION omoide.upload_limits()
RETURNS TABLE (max_size bigint, max_age_seconds bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT least(s.max_media_bytes, s.max_pending_bytes, s.max_inbox_bytes),
    extract(epoch FROM s.upload_idle)::bigint
  FROM omoide.settings s
$$;
