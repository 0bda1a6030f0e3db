-- Says what take_storage would say, and takes nothing.
CREATE OR REPLACE FUNCTION omoide.check_storage(p_schema_version int, p_storage text, p_identity uuid)
RETURNS TABLE (storage_id smallint, prefix_size int, inbox uuid, held boolean, lanes int)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_storage constant omoide.storage :=
    omoide.fit_storage(p_schema_version, p_storage, p_identity);
BEGIN
  RETURN QUERY SELECT v_storage.id, v_storage.prefix_size, s.inbox,
    EXISTS (
      SELECT FROM pg_locks l
      JOIN pg_database d ON d.oid = l.database AND d.datname = current_database()
      WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
        AND l.classid = omoide.storage_lock_class()::oid AND l.objid = v_storage.id::int
    ),
    v_storage.lanes::int
  FROM omoide.settings s;
END $$;
