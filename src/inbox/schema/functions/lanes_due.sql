-- Whether this session, which has p_held of p_lanes lanes, should take or give some, or end another that is
-- silent, or the storage has another number of them by now.
CREATE OR REPLACE FUNCTION omoide.lanes_due(p_lanes int, p_held int)
RETURNS boolean LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_storage constant omoide.storage := omoide.own_storage();
  v_share int;
BEGIN
  IF v_storage.lanes <> p_lanes THEN RETURN true; END IF;
  IF EXISTS (SELECT FROM omoide.silent_workers(v_storage.id)) THEN RETURN true; END IF;
  v_share := omoide.lane_share(v_storage.id, p_lanes);
  RETURN p_held > v_share OR (p_held < v_share AND p_lanes > (
    SELECT sum(cardinality(s.held)) FROM omoide.lane_sessions(v_storage.id) s
  ));
END $$;
