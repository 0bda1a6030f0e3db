-- This owner's upload, locked, so that of two writers one waits and then sees what the other has done.
-- Internal.
CREATE OR REPLACE FUNCTION omoide.own_upload(p_key uuid, p_owner uuid)
RETURNS omoide.upload LANGUAGE plpgsql AS $$
DECLARE
  v_upload omoide.upload;
BEGIN
  SELECT * INTO v_upload FROM omoide.upload u WHERE u.key = p_key AND u.owner_uuid = p_owner FOR UPDATE;
  -- A finished one has its answer until sweep() takes it away.
  IF NOT FOUND OR (v_upload.media_id IS NULL AND v_upload.expires_at <= now()) THEN
    RAISE EXCEPTION USING ERRCODE = 'OM014',
      MESSAGE = format('owner %s has no upload %s: it was never opened, has expired, or was cancelled',
        coalesce(p_owner::text, 'null'), coalesce(p_key::text, 'null')),
      HINT = 'Open another one and begin at 0.';
  END IF;
  RETURN v_upload;
END $$;
