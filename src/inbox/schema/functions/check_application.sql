-- Says whether the gateway is written for this schema. Other applications go by the calls they make.
CREATE OR REPLACE FUNCTION omoide.check_application(p_schema_version int)
RETURNS void LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM omoide.refuse_other_version(p_schema_version, 'gateway');
END $$;
