-- Owes a media that was sealed to every storage, and notifies the workers that sleep. Internal.
--
-- A commit that notifies holds a lock that is one for the whole cluster, over its fsync, so that commits
-- queue: 16 sessions of 4 KB, interleaved, made 398, 210 and 181 submits per second with it, 724, 314 and 428
-- without. A worker that is awake looks by itself, at least once a second, so only one that sleeps is
-- notified: it has the lock whose shared side is tried here. Whoever gets that side keeps it until its
-- transaction has become visible or undone, and until then no worker falls asleep (fall_asleep()): nobody is
-- missed, in whatever order transactions commit. A storage without a worker costs nothing.
CREATE OR REPLACE FUNCTION omoide.owe(p_id bigint, p_size bigint)
RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  v_is_awake boolean;
BEGIN
  -- A storage that is registered meanwhile gets its delivery from sweep().
  INSERT INTO omoide.delivery (storage_id, media_id, size)
  SELECT s.id, p_id, p_size FROM omoide.storage s WHERE s.retired_at IS NULL;
  -- Where no worker sweeps, the differences must not pile up either.
  IF p_id % 1024 = 0 THEN PERFORM omoide.fold_owed(); END IF;
  PERFORM omoide.commit_durably();
  SELECT bool_and(pg_try_advisory_xact_lock_shared(
    omoide.sleep_lock_class(), omoide.lane_key(s.id, s.lanes, (p_id % s.lanes)::int)
  ))
  INTO v_is_awake FROM omoide.storage s WHERE s.retired_at IS NULL;
  RETURN v_is_awake OR omoide.wake_workers();
END $$;
