-- Gives a pending upload up. Deletes nothing: sweep() does, and gives back what was charged. A finished one
-- is a media and stays. Returns whether there was one to give up.
CREATE OR REPLACE FUNCTION omoide.cancel_upload(p_key uuid, p_owner uuid)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  UPDATE omoide.upload u SET expires_at = '-infinity'
  WHERE u.key = p_key AND u.owner_uuid = p_owner AND u.media_id IS NULL AND u.expires_at > now();
  RETURN FOUND;
END $$;
