-- Ids of what release() has missed, no more than take well under a second to release. Internal.
CREATE OR REPLACE FUNCTION omoide.missed_releases()
RETURNS bigint[] LANGUAGE plpgsql STABLE SET enable_nestloop = off SET jit = off AS $$
BEGIN
  RETURN ARRAY(SELECT r.media_id FROM omoide.releasable r LIMIT 4096);
END $$;
