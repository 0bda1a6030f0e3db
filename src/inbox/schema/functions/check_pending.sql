-- Whether there is room among the pending uploads for all of this one, asked when it begins and when it
-- comes back after a while. Internal.
-- Taking bytes as they come until nothing fits would leave three videos of 2 GB stuck at two thirds, each
-- waiting for the others' room. So an upload that is coming in has room for all of it, and one that is not
-- begun waits; an upload to which nothing was added for a quarter of an hour counts with what it has, so
-- that a telephone that was switched off holds nobody up. Two that begin at the same moment do not see
-- each other: max_inbox_bytes is what bounds them then.
CREATE OR REPLACE FUNCTION omoide.check_pending(p_upload omoide.upload, p_limit omoide.settings)
RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  c_resting constant timestamptz := now() - interval '15 minutes';
  v_others bigint;
BEGIN
  IF (p_upload.chunks > 0 OR p_upload.tail <> '') AND p_upload.touched_at > c_resting THEN
    RETURN true;
  END IF;
  SELECT coalesce(sum(CASE
    WHEN (u.chunks > 0 OR u.tail <> '') AND u.touched_at > c_resting AND u.expires_at > now() THEN u.size
    ELSE least(u.chunks * 262144::bigint + octet_length(u.tail), u.size) END), 0)
  INTO v_others
  FROM omoide.upload u WHERE u.media_id IS NULL AND u.id <> p_upload.id;
  IF v_others + p_upload.size > p_limit.max_pending_bytes THEN
    RAISE EXCEPTION USING ERRCODE = 'OM006',
      MESSAGE = format('there is no room for an upload of %s bytes now: the others that are coming in '
        || 'need %s of the %s bytes for pending uploads', p_upload.size, v_others,
        p_limit.max_pending_bytes),
      HINT = 'Nothing was added. Try again when one of them is finished.';
  END IF;
  RETURN true;
END $$;
