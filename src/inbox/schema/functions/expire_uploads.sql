-- Takes away uploads that have expired or were cancelled, and gives back what they were charged. Their chunks
-- go with their generation. Internal. One that is being written to is left for the next time.
CREATE OR REPLACE FUNCTION omoide.expire_uploads()
RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  v_upload omoide.upload;
  v_expired int := 0;
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN RETURN 0; END IF;
  FOR v_upload IN
    SELECT * FROM omoide.upload u WHERE u.expires_at <= now()
    ORDER BY u.expires_at LIMIT 1024 FOR UPDATE SKIP LOCKED
  LOOP
    -- Whether it became a media is asked of media itself: no slip in upload's columns may cost a blob.
    IF NOT EXISTS (SELECT FROM omoide.media m WHERE m.id = v_upload.id) THEN
      PERFORM omoide.tally_inbox(
        -least(v_upload.chunks * 262144::bigint + octet_length(v_upload.tail), v_upload.size), 0
      );
      -- The day gets back what never became a media. Past days' slots are gone or going.
      IF v_upload.day = (now() AT TIME ZONE 'UTC')::date THEN
        INSERT INTO omoide.ledger (day, account, bytes, media)
        SELECT v_upload.day, a.account, -greatest(v_upload.size, 4096), -1
        FROM (VALUES (v_upload.owner_uuid), ('00000000-0000-0000-0000-000000000000'::uuid)) AS a (account);
      END IF;
    END IF;
    DELETE FROM omoide.upload u WHERE u.id = v_upload.id;
    v_expired := v_expired + 1;
  END LOOP;
  RETURN v_expired;
END $$;
