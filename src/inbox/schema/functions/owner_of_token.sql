-- The owner of the token with this SHA-256; null if there is none, or it is no longer valid.
CREATE OR REPLACE FUNCTION omoide.owner_of_token(p_sha256 bytea)
RETURNS uuid LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT t.owner_uuid FROM omoide.token t
  WHERE t.sha256 = p_sha256 AND t.revoked_at IS NULL AND coalesce(t.expires_at > now(), true)
$$;
