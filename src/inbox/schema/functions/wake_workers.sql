-- Says that something is due. A hint, since workers poll: left out while the queue of notifications, which
-- any session can fill, is half full, because with it full the commit would fail. Internal.
CREATE OR REPLACE FUNCTION omoide.wake_workers()
RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  IF pg_notification_queue_usage() < 0.5 THEN
    PERFORM pg_notify('omoide_sealed', '');
  END IF;
  RETURN true;
END $$;
