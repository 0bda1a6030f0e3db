-- Takes part in the work on a storage for as long as the session lives: its lock, which all its workers share
-- and an administrator's tool does not, and as many of its lanes as are free and due to this session. None, if
-- it must wait for others to give theirs; OM022 if there are more workers than lanes.
-- p_process: the same for all sessions of one process. p_lanes: the number of lanes for which the caller has
-- locked the root; another one is refused, and changes nothing.
CREATE OR REPLACE FUNCTION omoide.take_storage(
  p_schema_version int, p_storage text, p_identity uuid, p_process uuid DEFAULT NULL,
  p_lanes int DEFAULT NULL
)
RETURNS TABLE (
  storage_id smallint, prefix_size int, inbox uuid, life bigint, lanes int, mine int[], unclean int[]
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  v_storage omoide.storage := omoide.fit_storage(p_schema_version, p_storage, p_identity);
  v_id constant smallint := v_storage.id;
  v_life bigint;
  v_share int;
  v_why text;
BEGIN
  IF NOT pg_try_advisory_lock_shared(omoide.storage_lock_class(), v_id) THEN
    RAISE EXCEPTION USING ERRCODE = 'OM022',
      MESSAGE = format('one of the administrator''s tools holds the storage %s', v_storage.name),
      HINT = 'It can be taken when that has ended.';
  END IF;
  -- A worker that died with its machine leaves a connection that only these find out: 10 + 4 × 5 s.
  PERFORM set_config('tcp_keepalives_idle', '10', false),
    set_config('tcp_keepalives_interval', '5', false),
    set_config('tcp_keepalives_count', '4', false),
    set_config('tcp_user_timeout', '30000', false);
  PERFORM omoide.lock_lanes(v_id);
  SELECT * INTO STRICT v_storage FROM omoide.storage s WHERE s.id = v_id;
  PERFORM pg_terminate_backend(s.pid, 0) FROM omoide.silent_workers(v_id) AS s (pid);
  v_share := omoide.lane_share(v_id, v_storage.lanes);
  IF EXISTS (SELECT FROM omoide.lane_sessions(v_id) s WHERE s.lanes <> v_storage.lanes) THEN
    v_why := 'workers have not given back their lanes of the former number of lanes of the storage %s';
  ELSIF v_storage.lanes <> p_lanes THEN
    v_why := 'the number of lanes of the storage %s has just been changed';
  ELSIF v_share = 0 THEN
    v_why := CASE v_storage.lanes WHEN 1 THEN 'another worker holds the storage %s'
      ELSE 'other workers hold all lanes of the storage %s' END;
  END IF;
  IF v_why IS NOT NULL THEN
    -- An error does not undo it.
    PERFORM pg_advisory_unlock_shared(omoide.storage_lock_class(), v_id);
    RAISE EXCEPTION USING ERRCODE = 'OM022', MESSAGE = format(v_why, v_storage.name),
      HINT = 'It can be taken when one of them ends; within 30 s if its machine died.';
  END IF;
  PERFORM omoide.renumber_lanes(v_id, v_storage.lanes);
  v_life := nextval('omoide.worker_life');
  RETURN QUERY SELECT v_id, v_storage.prefix_size, t.inbox, v_life, v_storage.lanes::int, l.mine, l.unclean
  FROM omoide.settings t, omoide.share_lanes(v_id, v_storage.lanes, v_life, p_process, v_share) l;
END $$;
