-- Gives back the lanes that this session has too many of, takes free ones as long as it has too few, and says
-- which it has now, and which of these a worker has left that died while it was storing. Under lock_lanes(),
-- and only while the worker has nothing under way. Internal.
CREATE OR REPLACE FUNCTION omoide.share_lanes(
  p_storage smallint, p_lanes int, p_life bigint, p_process uuid, p_share int
)
RETURNS TABLE (mine int[], unclean int[]) LANGUAGE plpgsql AS $$
DECLARE
  v_unclean boolean;
BEGIN
  unclean := '{}';
  SELECT s.held INTO mine FROM omoide.lane_sessions(p_storage) s WHERE s.pid = pg_backend_pid();
  mine := coalesce(mine, '{}');
  PERFORM omoide.give_lanes(p_storage, p_lanes, mine[p_share + 1 :]);
  mine := mine[: p_share];
  -- Of a life before, if this session has taken the storage once more.
  UPDATE omoide.worker w SET life = p_life, stored_media = NULL, stored_bytes = NULL
  WHERE w.storage_id = p_storage AND w.lane = ANY (mine) AND w.life <> p_life;
  FOR v_lane IN 0 .. p_lanes - 1 LOOP
    EXIT WHEN cardinality(mine) >= p_share;
    CONTINUE WHEN v_lane = ANY (mine) OR NOT pg_try_advisory_lock(
      omoide.lane_lock_class(), omoide.lane_key(p_storage, p_lanes, v_lane)
    );
    SELECT w.state = 'storing' AND (p_process IS NULL OR w.process IS DISTINCT FROM p_process)
    INTO v_unclean FROM omoide.worker w WHERE w.storage_id = p_storage AND w.lane = v_lane;
    INSERT INTO omoide.worker AS w (storage_id, lane, lanes, life, process, client, state)
    VALUES (p_storage, v_lane, p_lanes, p_life, p_process, inet_client_addr(), 'starting')
    ON CONFLICT (storage_id, lane) DO UPDATE
    SET lanes = p_lanes, life = p_life, process = p_process, client = excluded.client,
      state = 'starting', reason = NULL, seen_at = now(), looked_at = NULL, stored_media = NULL,
      stored_bytes = NULL, version = NULL, started_at = NULL;
    mine := mine || v_lane;
    IF v_unclean THEN unclean := unclean || v_lane; END IF;
  END LOOP;
  RETURN NEXT;
END $$;
