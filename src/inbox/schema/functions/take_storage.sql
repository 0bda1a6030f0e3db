-- Takes a storage for as long as the session lives: its lock, and the first line of its worker's row.
CREATE OR REPLACE FUNCTION omoide.take_storage(p_schema_version int, p_storage text, p_identity uuid)
RETURNS TABLE (storage_id smallint, prefix_size int, inbox uuid, unclean boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  v_storage constant omoide.storage :=
    omoide.fit_storage(p_schema_version, p_storage, p_identity);
  v_state text;
BEGIN
  IF NOT pg_try_advisory_lock(omoide.storage_lock_class(), v_storage.id) THEN
    RAISE EXCEPTION USING ERRCODE = 'OM022',
      MESSAGE = format('another worker holds the storage %s', v_storage.name),
      HINT = 'It can be taken when that worker ends; within 30 s if its machine died.';
  END IF;
  -- A worker that died with its machine leaves a connection that only these find out: 10 + 4 × 5 s.
  PERFORM set_config('tcp_keepalives_idle', '10', false),
    set_config('tcp_keepalives_interval', '5', false),
    set_config('tcp_keepalives_count', '4', false),
    set_config('tcp_user_timeout', '30000', false);
  SELECT w.state INTO v_state FROM omoide.worker w WHERE w.storage_id = v_storage.id;
  INSERT INTO omoide.worker AS w (storage_id, life, state) VALUES (v_storage.id, 1, 'starting')
  ON CONFLICT (storage_id) DO UPDATE
  SET life = w.life + 1, state = 'starting', reason = NULL, seen_at = now(), looked_at = NULL;
  RETURN QUERY SELECT v_storage.id, v_storage.prefix_size, s.inbox,
    coalesce(v_state = 'storing', false)
  FROM omoide.settings s;
END $$;
