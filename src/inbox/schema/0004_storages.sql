-- Who a worker is, and how it is. The storage always comes from session_user, which neither SET ROLE nor a
-- SECURITY DEFINER function changes; never from an argument alone.

-- The storage of this session's role. Internal.
CREATE FUNCTION omoide.own_storage()
RETURNS omoide.storage LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_storage omoide.storage;
BEGIN
  SELECT * INTO v_storage FROM omoide.storage s WHERE s.role = session_user;
  IF NOT FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'OM020',
      MESSAGE = format('the role %s belongs to no storage of this inbox', session_user),
      HINT = 'Log in as omoide_NAME, and see that `storage init NAME` was run on this database.';
  ELSIF v_storage.retired_at IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'OM024',
      MESSAGE = format('the storage %s was retired on %s', v_storage.name,
        to_char(v_storage.retired_at AT TIME ZONE 'UTC', 'YYYY-MM-DD')),
      HINT = 'Stop its worker. A retired storage does not come back; register a new one.';
  END IF;
  RETURN v_storage;
END $$;

-- The distrust of a disk, as an error. Internal.
CREATE FUNCTION omoide.refuse_distrusted(p_storage omoide.storage)
RETURNS void LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF p_storage.distrusted_at IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'OM023',
      MESSAGE = format('the storage %s is distrusted since %s UTC: %s', p_storage.name,
        to_char(p_storage.distrusted_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI'),
        p_storage.distrusted_reason),
      HINT = format('Mend the disk, remount it, verify it, then run `storage trust %s`.',
        p_storage.name);
  END IF;
END $$;

-- All that must hold before a worker may store, in the order in which an administrator would mend it.
-- Internal.
CREATE FUNCTION omoide.fit_storage(p_schema_version int, p_storage text, p_identity uuid)
RETURNS omoide.storage LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_storage omoide.storage;
  v_version int;
BEGIN
  SELECT * INTO v_storage FROM omoide.storage s WHERE s.role = session_user;
  IF NOT FOUND THEN
    -- Raises OM020.
    PERFORM omoide.own_storage();
  ELSIF v_storage.name IS DISTINCT FROM p_storage THEN
    RAISE EXCEPTION USING ERRCODE = 'OM020',
      MESSAGE = format('the role %s belongs to the storage %s, not to %s',
        session_user, v_storage.name, coalesce(quote_literal(p_storage), 'none')),
      HINT = format('Log in as omoide_%s, or start the worker with --storage %s.',
        p_storage, v_storage.name);
  END IF;
  SELECT s.schema_version INTO STRICT v_version FROM omoide.settings s;
  IF v_version IS DISTINCT FROM p_schema_version THEN
    RAISE EXCEPTION USING ERRCODE = 'OM025',
      MESSAGE = format('the worker is written for version %s of the inbox''s schema, which has version %s',
        p_schema_version, v_version),
      HINT = CASE WHEN v_version < p_schema_version
        THEN 'The database is older: run `inbox init` of the worker''s release.'
        ELSE 'The worker is older: install the release that ran `inbox init`.' END;
  END IF;
  PERFORM omoide.own_storage();
  IF v_storage.identity IS DISTINCT FROM p_identity THEN
    RAISE EXCEPTION USING ERRCODE = 'OM021',
      MESSAGE = format('the root''s identity is %s, the storage %s was registered with %s',
        coalesce(p_identity::text, 'unknown'), v_storage.name, v_storage.identity),
      HINT = 'Another storage''s disk is mounted there, or --root names another directory.';
  END IF;
  PERFORM omoide.refuse_distrusted(v_storage);
  RETURN v_storage;
END $$;

CREATE FUNCTION omoide.check_storage(p_schema_version int, p_storage text, p_identity uuid)
RETURNS TABLE (storage_id smallint, prefix_size int, inbox uuid, held boolean)
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
        AND l.classid = 1869442921 AND l.objid = v_storage.id::int
    )
  FROM omoide.settings s;
END $$;

-- 1869442921 is "omoi". Only functions of this schema can take advisory locks here (rights.sql), so
-- nobody else can hold a storage's.
CREATE FUNCTION omoide.take_storage(p_schema_version int, p_storage text, p_identity uuid)
RETURNS TABLE (storage_id smallint, prefix_size int, inbox uuid, unclean boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  v_storage constant omoide.storage :=
    omoide.fit_storage(p_schema_version, p_storage, p_identity);
  v_state text;
BEGIN
  IF NOT pg_try_advisory_lock(1869442921, v_storage.id) THEN
    RAISE EXCEPTION USING ERRCODE = 'OM022',
      MESSAGE = format('another worker holds the storage %s', v_storage.name),
      HINT = 'It can be taken when that worker ends; within 30 s where its machine died.';
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

-- A worker that stands by must not hide the state of the one that works, nor that it has died: its beat
-- is kept apart.
CREATE FUNCTION omoide.heartbeat(
  p_version text, p_started_at timestamptz, p_state text, p_reason text,
  p_free_bytes bigint, p_total_bytes bigint, p_free_inodes bigint, p_total_inodes bigint,
  p_stored_media bigint, p_stored_bytes bigint, p_last_error text
)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_id constant smallint := (omoide.own_storage()).id;
BEGIN
  IF p_state = 'standby' THEN
    INSERT INTO omoide.worker AS w (storage_id, state, standby_seen_at)
    VALUES (v_id, 'standby', now())
    ON CONFLICT (storage_id) DO UPDATE SET standby_seen_at = now();
    RETURN;
  END IF;
  INSERT INTO omoide.worker AS w (
    storage_id, version, started_at, seen_at, state, reason, free_bytes, total_bytes,
    free_inodes, total_inodes, stored_media, stored_bytes, last_error
  ) VALUES (
    v_id, left(p_version, 100), p_started_at, now(), p_state, left(p_reason, 2000), p_free_bytes,
    p_total_bytes, p_free_inodes, p_total_inodes, p_stored_media, p_stored_bytes,
    left(p_last_error, 2000)
  )
  ON CONFLICT (storage_id) DO UPDATE SET (
    version, started_at, seen_at, state, reason, free_bytes, total_bytes,
    free_inodes, total_inodes, stored_media, stored_bytes, last_error
  ) = (
    excluded.version, excluded.started_at, excluded.seen_at, excluded.state, excluded.reason,
    excluded.free_bytes, excluded.total_bytes, excluded.free_inodes, excluded.total_inodes,
    excluded.stored_media, excluded.stored_bytes, excluded.last_error
  );
END $$;

-- The first reason stays: what follows it is mostly its consequence.
CREATE FUNCTION omoide.distrust(p_reason text)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_id constant smallint := (omoide.own_storage()).id;
BEGIN
  UPDATE omoide.storage s
  SET distrusted_at = now(), distrusted_reason = left(coalesce(p_reason, 'no reason given'), 2000)
  WHERE s.id = v_id AND s.distrusted_at IS NULL;
END $$;
