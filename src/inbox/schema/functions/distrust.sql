-- The first reason stays: what follows it is mostly its consequence.
CREATE OR REPLACE FUNCTION omoide.distrust(p_reason text)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_id constant smallint := (omoide.own_storage()).id;
BEGIN
  UPDATE omoide.storage s
  SET distrusted_at = now(), distrusted_reason = left(coalesce(p_reason, 'no reason given'), 2000)
  WHERE s.id = v_id AND s.distrusted_at IS NULL;
END $$;
