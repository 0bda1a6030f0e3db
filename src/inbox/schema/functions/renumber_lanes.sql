-- Makes the rows of a storage's lanes those of its present number of lanes. A worker that died in the middle of
-- a lane of the former number may have left what kills a worker in any lane of this one. Under lock_lanes(),
-- when no session has a lane of the former number any more. Internal.
CREATE OR REPLACE FUNCTION omoide.renumber_lanes(p_storage smallint, p_lanes int)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  v_unclean boolean;
BEGIN
  SELECT bool_or(w.state = 'storing') INTO v_unclean
  FROM omoide.worker w WHERE w.storage_id = p_storage AND w.lanes <> p_lanes;
  IF v_unclean IS NULL THEN RETURN; END IF;
  DELETE FROM omoide.worker w WHERE w.storage_id = p_storage AND w.lane >= p_lanes;
  UPDATE omoide.worker w
  SET lanes = p_lanes, life = 0, process = NULL, client = NULL, reason = NULL,
    state = CASE WHEN v_unclean THEN 'storing' ELSE 'stopped' END
  WHERE w.storage_id = p_storage;
  IF v_unclean THEN
    INSERT INTO omoide.worker (storage_id, lane, lanes, state)
    SELECT p_storage, n, p_lanes, 'storing' FROM generate_series(0, p_lanes - 1) AS n
    ON CONFLICT DO NOTHING;
  END IF;
END $$;
