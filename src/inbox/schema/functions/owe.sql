-- Owes a media that was sealed to every storage, and notifies their workers. Internal.
CREATE OR REPLACE FUNCTION omoide.owe(p_id bigint)
RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  -- A storage that is registered meanwhile gets its delivery from sweep().
  INSERT INTO omoide.delivery (storage_id, media_id)
  SELECT s.id, p_id FROM omoide.storage s WHERE s.retired_at IS NULL;
  -- A role may have made this its own default, and a later session would hear "committed" of an upload
  -- that a crash takes back. Raised only, never lowered: remote_apply stays.
  IF current_setting('synchronous_commit') = 'off' THEN
    PERFORM set_config('synchronous_commit', 'on', true);
  END IF;
  RETURN omoide.wake_workers();
END $$;
