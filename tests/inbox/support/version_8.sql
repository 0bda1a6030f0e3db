-- An inbox of schema version 8, the last before functions and views had files of their own, with every kind
-- of row in it. Made by that version's own functions on PostgreSQL 15 and written by pg_dump
-- (--column-inserts; without its comments, and without the rights on pg_catalog, whose functions differ
-- between versions); for a database of a cluster without an inbox.
CREATE ROLE omoide_owner;
CREATE ROLE omoide_app LOGIN;
CREATE ROLE omoide_monitor LOGIN;
CREATE ROLE omoide_hot LOGIN;
CREATE ROLE omoide_cold LOGIN;
CREATE ROLE omoide_old LOGIN;
COMMENT ON ROLE omoide_owner IS 'omoide inbox 11111111-1111-4111-8111-111111111111';
COMMENT ON ROLE omoide_app IS 'omoide inbox 11111111-1111-4111-8111-111111111111';
COMMENT ON ROLE omoide_monitor IS 'omoide inbox 11111111-1111-4111-8111-111111111111';
COMMENT ON ROLE omoide_hot IS 'omoide inbox 11111111-1111-4111-8111-111111111111';
COMMENT ON ROLE omoide_cold IS 'omoide inbox 11111111-1111-4111-8111-111111111111';
COMMENT ON ROLE omoide_old IS 'omoide inbox 11111111-1111-4111-8111-111111111111';

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
CREATE SCHEMA omoide;
ALTER SCHEMA omoide OWNER TO omoide_owner;
CREATE FUNCTION omoide.acknowledge(p_ids bigint[], p_sha256 bytea[], p_sizes bigint[], p_outcomes text[], p_paths text[]) RETURNS TABLE(media_id bigint, verdict text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    AS $$
#variable_conflict use_column
DECLARE
  v_storage constant omoide.storage := omoide.own_storage();
BEGIN
  PERFORM omoide.refuse_distrusted(v_storage);
  RETURN QUERY
  WITH given AS MATERIALIZED (
    SELECT * FROM unnest(p_ids, p_sha256, p_sizes, p_outcomes, p_paths)
      AS g (id, sha256, size, outcome, path)
  ), judged AS MATERIALIZED (
    SELECT g.id, g.outcome, g.path,
      CASE
        WHEN m.id IS NULL THEN 'unknown'
        WHEN (m.sha256, m.size) IS DISTINCT FROM (g.sha256, g.size) THEN 'mismatch'
        WHEN r.has THEN 'repeated'
        WHEN d.has THEN 'acknowledged'
        ELSE 'unknown'
      END AS verdict
    FROM given g
    LEFT JOIN LATERAL (
      SELECT i.id, i.sha256, i.size FROM omoide.media i
      WHERE i.id = g.id AND i.sealed_at IS NOT NULL LIMIT 1
    ) m ON true
    LEFT JOIN LATERAL (
      SELECT true AS has FROM omoide.stored i
      WHERE i.storage_id = v_storage.id AND i.media_id = g.id LIMIT 1
    ) r ON true
    LEFT JOIN LATERAL (
      SELECT true AS has FROM omoide.delivery i
      WHERE i.storage_id = v_storage.id AND i.media_id = g.id LIMIT 1
    ) d ON true
  ), receipts AS (
    INSERT INTO omoide.stored (storage_id, media_id, outcome, path)
    SELECT v_storage.id, j.id, j.outcome, j.path FROM judged j WHERE j.verdict = 'acknowledged'
    ON CONFLICT DO NOTHING
  ), done AS (
    DELETE FROM omoide.delivery d
    WHERE d.storage_id = v_storage.id AND d.media_id = ANY (
      ARRAY(SELECT j.id FROM judged j WHERE j.verdict IN ('acknowledged', 'repeated'))
    )
  )
  SELECT j.id, j.verdict FROM judged j;
END $$;
ALTER FUNCTION omoide.acknowledge(p_ids bigint[], p_sha256 bytea[], p_sizes bigint[], p_outcomes text[], p_paths text[]) OWNER TO omoide_owner;
CREATE FUNCTION omoide.append_chunk(p_media_id bigint, p_seq integer, p_bytes bytea) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
  v_limit omoide.settings;
  v_fit boolean;
  v_wrong text;
BEGIN
  IF NOT EXISTS (SELECT FROM omoide.media m WHERE m.id = p_media_id AND m.sealed_at IS NULL) THEN
    v_wrong := format('media %s is not open in this transaction',
      coalesce(p_media_id::text, 'null'));
  ELSIF p_seq IS NULL OR p_seq < 0 THEN
    v_wrong := format('chunk %s: seq counts from 0', coalesce(p_seq::text, 'null'));
  ELSIF p_bytes IS NULL OR octet_length(p_bytes) NOT BETWEEN 1 AND 262144 THEN
    v_wrong := format('chunk %s has %s bytes; each has 262144, only the last may be shorter',
      p_seq, coalesce(octet_length(p_bytes)::text, 'no'));
  ELSE
    SELECT * INTO STRICT v_limit FROM omoide.settings;
    v_fit := omoide.check_room(
      p_seq * 262144::bigint + octet_length(p_bytes), octet_length(p_bytes), v_limit
    );
    INSERT INTO omoide.media_chunk (media_id, seq, bytes) VALUES (p_media_id, p_seq, p_bytes)
    ON CONFLICT DO NOTHING;
    IF FOUND THEN RETURN; END IF;
    v_wrong := format('chunk %s of media %s was appended already', p_seq, p_media_id);
  END IF;
  RAISE EXCEPTION USING ERRCODE = 'OM011', MESSAGE = v_wrong, HINT = 'Nothing was stored.';
END $$;
ALTER FUNCTION omoide.append_chunk(p_media_id bigint, p_seq integer, p_bytes bytea) OWNER TO omoide_owner;
CREATE FUNCTION omoide.begin(p_ids bigint[]) RETURNS SETOF bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    AS $$
DECLARE
  v_id constant smallint := (omoide.own_storage()).id;
  v_life bigint;
BEGIN
  SELECT w.life INTO v_life FROM omoide.worker w WHERE w.storage_id = v_id;
  v_life := coalesce(v_life, 0);
  UPDATE omoide.delivery d
  SET parked_at = now(), last_error = left(
    format('the worker died %s times while storing this media', d.attempts)
      || coalesce('; before that: ' || d.last_error, ''), 2000)
  WHERE d.storage_id = v_id AND d.media_id = ANY (p_ids) AND d.parked_at IS NULL
    AND d.attempts >= 6 AND d.begun_in_life IS DISTINCT FROM v_life;
  RETURN QUERY
  UPDATE omoide.delivery d
  SET attempts = d.attempts + (d.begun_in_life IS DISTINCT FROM v_life)::int,
    begun_in_life = v_life
  WHERE d.storage_id = v_id AND d.media_id = ANY (p_ids) AND d.parked_at IS NULL
  RETURNING d.media_id;
END $$;
ALTER FUNCTION omoide.begin(p_ids bigint[]) OWNER TO omoide_owner;
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE omoide.settings (
    only_row boolean DEFAULT true NOT NULL,
    inbox uuid NOT NULL,
    schema_version integer NOT NULL,
    min_copies integer DEFAULT 2 NOT NULL,
    max_inbox_bytes bigint DEFAULT ((5)::double precision * (((1024)::bigint)::double precision ^ (3)::double precision)) NOT NULL,
    max_inbox_disk_bytes bigint DEFAULT ((16)::double precision * (((1024)::bigint)::double precision ^ (3)::double precision)) NOT NULL,
    max_media_bytes bigint DEFAULT ((4)::double precision * (((1024)::bigint)::double precision ^ (3)::double precision)) NOT NULL,
    owner_bytes_per_day bigint DEFAULT ((50)::double precision * (((1024)::bigint)::double precision ^ (3)::double precision)) NOT NULL,
    owner_media_per_day bigint DEFAULT 100000 NOT NULL,
    all_bytes_per_day bigint DEFAULT ((500)::double precision * (((1024)::bigint)::double precision ^ (3)::double precision)) NOT NULL,
    all_media_per_day bigint DEFAULT 1000000 NOT NULL,
    max_transaction_age interval DEFAULT '00:05:00'::interval NOT NULL,
    CONSTRAINT settings_max_inbox_bytes_check CHECK ((max_inbox_bytes >= 0)),
    CONSTRAINT settings_max_inbox_disk_bytes_check CHECK ((max_inbox_disk_bytes >= 0)),
    CONSTRAINT settings_max_media_bytes_check CHECK (((max_media_bytes >= 0) AND ((max_media_bytes)::double precision <= (((1024)::bigint)::double precision ^ (4)::double precision)))),
    CONSTRAINT settings_max_transaction_age_check CHECK ((max_transaction_age >= '00:00:00'::interval)),
    CONSTRAINT settings_min_copies_check CHECK (((min_copies >= 2) AND (min_copies <= 100))),
    CONSTRAINT settings_only_row_check CHECK (only_row)
);
ALTER TABLE omoide.settings OWNER TO omoide_owner;
CREATE FUNCTION omoide.charge(p_owner uuid, p_size bigint, p_limit omoide.settings) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
DECLARE
  c_all constant uuid := '00000000-0000-0000-0000-000000000000';
  c_inbox constant uuid := 'ffffffff-ffff-ffff-ffff-ffffffffffff';
  v_day constant date := (now() AT TIME ZONE 'UTC')::date;
  v_cost constant bigint := greatest(p_size, 4096);
  v_used record;
BEGIN
  -- All three accounts in one statement: half the time of three. VALUES of scalars and not arrays, which
  -- would be planned anew at each call (0.4 ms).
  IF current_setting('transaction_isolation') = 'read committed' THEN
    WITH due (day, account, bytes) AS (
      VALUES (v_day, p_owner, v_cost), (v_day, c_all, v_cost), ('-infinity', c_inbox, p_size)
    ), added AS (
      UPDATE omoide.ledger l SET bytes = l.bytes + due.bytes, media = l.media + 1
      FROM due CROSS JOIN LATERAL (
        SELECT f.slot FROM omoide.ledger f
        WHERE f.day = due.day AND f.account = due.account
        LIMIT 1 FOR UPDATE SKIP LOCKED
      ) free
      WHERE l.slot = free.slot
      RETURNING l.account
    )
    INSERT INTO omoide.ledger (day, account, bytes, media)
    SELECT due.day, due.account, due.bytes, 1 FROM due
    WHERE due.account NOT IN (SELECT added.account FROM added);
  ELSE
    INSERT INTO omoide.ledger (day, account, bytes, media)
    VALUES (v_day, p_owner, v_cost, 1), (v_day, c_all, v_cost, 1),
      ('-infinity', c_inbox, p_size, 1);
  END IF;
  SELECT
    sum(l.bytes) FILTER (WHERE l.account = p_owner) AS owner_bytes,
    sum(l.media) FILTER (WHERE l.account = p_owner) AS owner_media,
    sum(l.bytes) FILTER (WHERE l.account = c_all) AS all_bytes,
    sum(l.media) FILTER (WHERE l.account = c_all) AS all_media,
    sum(l.bytes) FILTER (WHERE l.account = c_inbox) AS inbox_bytes
  INTO v_used
  FROM omoide.ledger l
  WHERE (l.day = v_day AND l.account IN (p_owner, c_all))
    OR (l.day = '-infinity' AND l.account = c_inbox);
  IF v_used.owner_bytes > p_limit.owner_bytes_per_day
    OR v_used.owner_media > p_limit.owner_media_per_day
  THEN
    RAISE EXCEPTION USING ERRCODE = 'OM003',
      MESSAGE = format('owner %s is over its limit of %s bytes and %s media per day (UTC)',
        p_owner, p_limit.owner_bytes_per_day, p_limit.owner_media_per_day),
      HINT = 'Nothing was stored. The limit begins anew at midnight UTC.';
  END IF;
  IF v_used.all_bytes > p_limit.all_bytes_per_day OR v_used.all_media > p_limit.all_media_per_day
  THEN
    RAISE EXCEPTION USING ERRCODE = 'OM004',
      MESSAGE = format('all owners together are over the limit of %s bytes and %s media per day (UTC)',
        p_limit.all_bytes_per_day, p_limit.all_media_per_day),
      HINT = 'Nothing was stored. The limit begins anew at midnight UTC.';
  END IF;
  IF v_used.inbox_bytes > p_limit.max_inbox_bytes THEN
    RAISE EXCEPTION USING ERRCODE = 'OM001',
      MESSAGE = format('the inbox is full: %s of %s bytes wait for the storages',
        v_used.inbox_bytes - p_size, p_limit.max_inbox_bytes),
      HINT = 'Nothing was stored. Try again when the workers have drained it.';
  END IF;
  RETURN true;
END $$;
ALTER FUNCTION omoide.charge(p_owner uuid, p_size bigint, p_limit omoide.settings) OWNER TO omoide_owner;
CREATE FUNCTION omoide.check_description(p_owner uuid, p_item uuid, p_media_type text, p_ext text) RETURNS boolean
    LANGUAGE plpgsql
    AS $_$
DECLARE
  v_wrong text;
BEGIN
  -- The two UUIDs name accounts of the ledger.
  IF p_owner IS NULL OR p_owner IN (
    '00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff'
  ) THEN
    v_wrong := format('owner is %s; give the owner''s UUID', coalesce(p_owner::text, 'null'));
  ELSIF p_item IS NULL THEN
    v_wrong := 'item is null; give the item''s UUID';
  ELSIF p_media_type IS NULL OR p_media_type NOT IN ('content', 'preview', 'thumbnail') THEN
    v_wrong := format('media_type is %s; it must be content, preview or thumbnail',
      coalesce(quote_literal(left(p_media_type, 40)), 'null'));
  ELSIF p_ext IS NULL OR p_ext !~ '^[A-Za-z0-9]{1,16}$' THEN
    v_wrong := format('ext is %s; it must be 1 to 16 letters or digits, without the dot',
      coalesce(quote_literal(left(p_ext, 40)), 'null'));
  ELSE
    RETURN true;
  END IF;
  RAISE EXCEPTION USING ERRCODE = 'OM010', MESSAGE = v_wrong, HINT = 'Nothing was stored.';
END $_$;
ALTER FUNCTION omoide.check_description(p_owner uuid, p_item uuid, p_media_type text, p_ext text) OWNER TO omoide_owner;
CREATE FUNCTION omoide.check_room(p_size bigint, p_more bigint, p_limit omoide.settings) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
DECLARE
  v_files bigint;
BEGIN
  IF p_size > p_limit.max_media_bytes THEN
    RAISE EXCEPTION USING ERRCODE = 'OM002',
      MESSAGE = format('a media of %s bytes or more is too large: the limit is %s bytes',
        p_size, p_limit.max_media_bytes),
      HINT = 'Nothing was stored.';
  END IF;
  v_files := pg_table_size('omoide.media_chunk'::regclass);
  IF v_files + p_more > p_limit.max_inbox_disk_bytes THEN
    RAISE EXCEPTION USING ERRCODE = 'OM001',
      MESSAGE = format('the inbox is full: its files have %s of %s bytes',
        v_files, p_limit.max_inbox_disk_bytes),
      HINT = 'Nothing was stored. Try again when the workers have drained it and autovacuum has come round.';
  END IF;
  RETURN true;
END $$;
ALTER FUNCTION omoide.check_room(p_size bigint, p_more bigint, p_limit omoide.settings) OWNER TO omoide_owner;
CREATE FUNCTION omoide.check_storage(p_schema_version integer, p_storage text, p_identity uuid) RETURNS TABLE(storage_id smallint, prefix_size integer, inbox uuid, held boolean)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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
ALTER FUNCTION omoide.check_storage(p_schema_version integer, p_storage text, p_identity uuid) OWNER TO omoide_owner;
CREATE FUNCTION omoide.distrust(p_reason text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
  v_id constant smallint := (omoide.own_storage()).id;
BEGIN
  UPDATE omoide.storage s
  SET distrusted_at = now(), distrusted_reason = left(coalesce(p_reason, 'no reason given'), 2000)
  WHERE s.id = v_id AND s.distrusted_at IS NULL;
END $$;
ALTER FUNCTION omoide.distrust(p_reason text) OWNER TO omoide_owner;
CREATE FUNCTION omoide.evict() RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
  RETURN (
    SELECT count(*) FILTER (WHERE pg_terminate_backend(a.pid))
    FROM pg_stat_activity a, omoide.settings s
    WHERE a.usename = 'omoide_app' AND a.pid <> pg_backend_pid()
      AND a.xact_start < clock_timestamp() - s.max_transaction_age
  );
END $$;
ALTER FUNCTION omoide.evict() OWNER TO omoide_owner;
CREATE FUNCTION omoide.find_media(p_owner uuid, p_item uuid) RETURNS TABLE(media_id bigint, media_type text, ext text, public_name text, size bigint, sha256 bytea, sealed_at timestamp with time zone, released_at timestamp with time zone, stored_in text[], owed_to text[])
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  SELECT m.id, m.media_type, m.ext, m.public_name, m.size, m.sha256, m.sealed_at, m.released_at,
    array(
      SELECT s.name FROM omoide.storage s JOIN omoide.stored r ON r.storage_id = s.id
      WHERE r.media_id = m.id ORDER BY s.name
    ),
    array(
      SELECT s.name FROM omoide.storage s JOIN omoide.delivery d ON d.storage_id = s.id
      WHERE d.media_id = m.id ORDER BY s.name
    )
  FROM (
    SELECT * FROM omoide.media a
    WHERE a.owner_uuid = p_owner AND a.item_uuid = p_item AND a.holds_name
    UNION ALL
    SELECT * FROM omoide.media b
    WHERE b.owner_uuid = p_owner AND b.item_uuid = p_item AND NOT b.holds_name
  ) m
  WHERE m.sealed_at IS NOT NULL ORDER BY m.id LIMIT 1000
$$;
ALTER FUNCTION omoide.find_media(p_owner uuid, p_item uuid) OWNER TO omoide_owner;
CREATE TABLE omoide.storage (
    id smallint NOT NULL,
    name text NOT NULL,
    role name NOT NULL,
    identity uuid NOT NULL,
    prefix_size integer NOT NULL,
    required_since timestamp with time zone DEFAULT now() NOT NULL,
    retired_at timestamp with time zone,
    distrusted_at timestamp with time zone,
    distrusted_reason text,
    CONSTRAINT storage_check CHECK ((role = ('omoide_'::text || name))),
    CONSTRAINT storage_check1 CHECK (((distrusted_at IS NULL) = (distrusted_reason IS NULL))),
    CONSTRAINT storage_name_check CHECK (((name ~ '^[a-z][a-z0-9]{0,30}$'::text) AND (name <> ALL (ARRAY['app'::text, 'monitor'::text, 'owner'::text, 'admin'::text])))),
    CONSTRAINT storage_prefix_size_check CHECK (((prefix_size >= 1) AND (prefix_size <= 8)))
);
ALTER TABLE omoide.storage OWNER TO omoide_owner;
CREATE FUNCTION omoide.fit_storage(p_schema_version integer, p_storage text, p_identity uuid) RETURNS omoide.storage
    LANGUAGE plpgsql STABLE
    AS $$
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
ALTER FUNCTION omoide.fit_storage(p_schema_version integer, p_storage text, p_identity uuid) OWNER TO omoide_owner;
CREATE FUNCTION omoide.fold_ledger() RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
  -- As in charge().
  IF current_setting('transaction_isolation') <> 'read committed' THEN RETURN; END IF;
  DELETE FROM omoide.ledger l WHERE l.slot IN (
    SELECT f.slot FROM omoide.ledger f
    WHERE f.day > '-infinity' AND f.day < (now() AT TIME ZONE 'UTC')::date - 1
    FOR UPDATE SKIP LOCKED
  );
  WITH free AS MATERIALIZED (
    SELECT f.slot FROM omoide.ledger f
    WHERE (f.day, f.account) IN (
      SELECT n.day, n.account FROM omoide.ledger n GROUP BY n.day, n.account HAVING count(*) > 4
    )
    FOR UPDATE SKIP LOCKED
  ), gone AS (
    DELETE FROM omoide.ledger l USING free WHERE l.slot = free.slot
    RETURNING l.day, l.account, l.bytes, l.media
  )
  INSERT INTO omoide.ledger (day, account, bytes, media)
  SELECT g.day, g.account, sum(g.bytes), sum(g.media) FROM gone g GROUP BY g.day, g.account;
END $$;
ALTER FUNCTION omoide.fold_ledger() OWNER TO omoide_owner;
CREATE FUNCTION omoide.heartbeat(p_version text, p_started_at timestamp with time zone, p_state text, p_reason text, p_free_bytes bigint, p_total_bytes bigint, p_free_inodes bigint, p_total_inodes bigint, p_stored_media bigint, p_stored_bytes bigint, p_last_error text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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
ALTER FUNCTION omoide.heartbeat(p_version text, p_started_at timestamp with time zone, p_state text, p_reason text, p_free_bytes bigint, p_total_bytes bigint, p_free_inodes bigint, p_total_inodes bigint, p_stored_media bigint, p_stored_bytes bigint, p_last_error text) OWNER TO omoide_owner;
CREATE FUNCTION omoide.mend_deliveries(p_storage smallint) RETURNS bigint
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    AS $$
DECLARE
  v_added bigint;
BEGIN
  -- The storage was registered while a seal was uncommitted.
  INSERT INTO omoide.delivery (storage_id, media_id)
  SELECT p_storage, m.id FROM omoide.media m
  WHERE m.released_at IS NULL AND m.sealed_at IS NOT NULL
    AND (
      SELECT count(*) FROM omoide.delivery d WHERE d.storage_id = p_storage AND d.media_id = m.id
    ) = 0
    AND (
      SELECT count(*) FROM omoide.stored r WHERE r.storage_id = p_storage AND r.media_id = m.id
    ) = 0
  ON CONFLICT DO NOTHING;
  GET DIAGNOSTICS v_added = ROW_COUNT;
  -- It was registered while a release was uncommitted: owed, but the bytes are gone.
  DELETE FROM omoide.delivery d
  WHERE d.storage_id = p_storage
    AND (SELECT m.released_at FROM omoide.media m WHERE m.id = d.media_id) IS NOT NULL;
  -- One was retired while a seal was uncommitted. No worker of it is left to ask.
  DELETE FROM omoide.delivery d WHERE d.ctid = ANY (ARRAY(
    SELECT q.ctid FROM omoide.delivery q
    WHERE q.storage_id = ANY (ARRAY(
      SELECT s.id FROM omoide.storage s WHERE s.retired_at IS NOT NULL
    ))
    LIMIT 10000 FOR UPDATE SKIP LOCKED
  ));
  RETURN v_added;
END $$;
ALTER FUNCTION omoide.mend_deliveries(p_storage smallint) OWNER TO omoide_owner;
CREATE FUNCTION omoide.missed_releases() RETURNS bigint[]
    LANGUAGE plpgsql STABLE
    SET enable_nestloop TO 'off'
    AS $$
BEGIN
  RETURN ARRAY(SELECT r.media_id FROM omoide.releasable r LIMIT 4096);
END $$;
ALTER FUNCTION omoide.missed_releases() OWNER TO omoide_owner;
CREATE FUNCTION omoide.name_holder(p_owner uuid, p_item uuid, p_media_type text, p_ext text) RETURNS bytea
    LANGUAGE plpgsql
    AS $$
DECLARE
  v_sha256 bytea;
BEGIN
  SELECT m.sha256 INTO v_sha256 FROM omoide.media m
  WHERE m.owner_uuid = p_owner AND m.item_uuid = p_item AND m.media_type = p_media_type
    AND m.ext = p_ext AND m.holds_name;
  IF NOT FOUND THEN
    -- It was committed after this transaction's snapshot was taken.
    RAISE EXCEPTION USING ERRCODE = 'serialization_failure',
      MESSAGE = 'another transaction has sealed a media of this item meanwhile',
      HINT = 'Try the transaction again.';
  END IF;
  RETURN v_sha256;
END $$;
ALTER FUNCTION omoide.name_holder(p_owner uuid, p_item uuid, p_media_type text, p_ext text) OWNER TO omoide_owner;
CREATE FUNCTION omoide.open_media(p_owner uuid, p_item uuid, p_media_type text, p_ext text) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
  v_limit omoide.settings;
  v_fit boolean;
  v_id bigint;
BEGIN
  v_fit := omoide.check_description(p_owner, p_item, p_media_type, p_ext);
  SELECT * INTO STRICT v_limit FROM omoide.settings;
  v_fit := omoide.check_room(0, 0, v_limit);
  INSERT INTO omoide.media (owner_uuid, item_uuid, media_type, ext)
  VALUES (p_owner, p_item, p_media_type, p_ext) RETURNING id INTO v_id;
  RETURN v_id;
END $$;
ALTER FUNCTION omoide.open_media(p_owner uuid, p_item uuid, p_media_type text, p_ext text) OWNER TO omoide_owner;
CREATE FUNCTION omoide.owe(p_id bigint, p_owner uuid, p_size bigint, p_limit omoide.settings) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
DECLARE
  v_done boolean;
BEGIN
  v_done := omoide.charge(p_owner, p_size, p_limit);
  -- A storage that is registered meanwhile gets its delivery from sweep().
  INSERT INTO omoide.delivery (storage_id, media_id)
  SELECT s.id, p_id FROM omoide.storage s WHERE s.retired_at IS NULL;
  -- A role may have made this its own default, and a later session would be told "committed" of an upload
  -- that a crash takes back. Raised only, never lowered: remote_apply stays.
  IF current_setting('synchronous_commit') = 'off' THEN
    PERFORM set_config('synchronous_commit', 'on', true);
  END IF;
  PERFORM pg_notify('omoide_sealed', '');
  RETURN true;
END $$;
ALTER FUNCTION omoide.owe(p_id bigint, p_owner uuid, p_size bigint, p_limit omoide.settings) OWNER TO omoide_owner;
CREATE FUNCTION omoide.own_storage() RETURNS omoide.storage
    LANGUAGE plpgsql STABLE
    AS $$
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
ALTER FUNCTION omoide.own_storage() OWNER TO omoide_owner;
CREATE FUNCTION omoide.pending(p_after bigint, p_limit integer) RETURNS TABLE(media_id bigint, owner_uuid uuid, item_uuid uuid, media_type text, ext text, public_name text, size bigint, sha256 bytea, attempts integer)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    AS $$
#variable_conflict use_column
DECLARE
  v_id constant smallint := (omoide.own_storage()).id;
BEGIN
  RETURN QUERY
  SELECT m.id, m.owner_uuid, m.item_uuid, m.media_type, m.ext, m.public_name, m.size, m.sha256,
    d.attempts
  FROM (
    SELECT q.media_id, q.attempts FROM omoide.delivery q
    WHERE q.storage_id = v_id AND q.media_id > p_after AND q.parked_at IS NULL
      -- No pause is longer than an hour: what is due later was written by a clock that has since been
      -- set back.
      AND (q.next_attempt_at <= now() OR q.next_attempt_at > now() + interval '61 minutes')
    ORDER BY q.media_id LIMIT p_limit
  ) d
  CROSS JOIN LATERAL (
    -- A storage that was registered while a media was being released: owed, and gone. See sweep().
    SELECT * FROM omoide.media i WHERE i.id = d.media_id AND i.released_at IS NULL LIMIT 1
  ) m
  ORDER BY d.media_id;
END $$;
ALTER FUNCTION omoide.pending(p_after bigint, p_limit integer) OWNER TO omoide_owner;
CREATE FUNCTION omoide.public_name(p_item uuid, p_ext text, p_sha256 bytea, p_holder bytea) RETURNS text
    LANGUAGE sql IMMUTABLE
    AS $$
  SELECT CASE WHEN p_sha256 = p_holder THEN p_item::text || '.' || p_ext
    ELSE p_item::text || '~' || encode(p_sha256, 'hex') || '.' || p_ext END
$$;
ALTER FUNCTION omoide.public_name(p_item uuid, p_ext text, p_sha256 bytea, p_holder bytea) OWNER TO omoide_owner;
CREATE FUNCTION omoide.refuse_distrusted(p_storage omoide.storage) RETURNS void
    LANGUAGE plpgsql STABLE
    AS $$
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
ALTER FUNCTION omoide.refuse_distrusted(p_storage omoide.storage) OWNER TO omoide_owner;
CREATE FUNCTION omoide.refuse_unsealed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
  IF EXISTS (SELECT FROM omoide.media m WHERE m.id = NEW.id AND m.sealed_at IS NULL) THEN
    RAISE EXCEPTION USING ERRCODE = 'OM012',
      MESSAGE = format('media %s was opened and not sealed', NEW.id),
      HINT = 'Nothing of this transaction was stored. Call seal_media before it commits.';
  END IF;
  RETURN NULL;
END $$;
ALTER FUNCTION omoide.refuse_unsealed() OWNER TO omoide_owner;
CREATE FUNCTION omoide.release(p_ids bigint[]) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    AS $$
DECLARE
  v_required smallint[];
  v_trusted boolean;
  v_copies int;
  v_ids bigint[];
  v_bytes bigint;
BEGIN
  PERFORM omoide.own_storage();
  SELECT array_agg(s.id), bool_and(s.distrusted_at IS NULL) INTO v_required, v_trusted
  FROM omoide.storage s WHERE s.retired_at IS NULL;
  SELECT t.min_copies INTO STRICT v_copies FROM omoide.settings t;
  IF NOT v_trusted OR cardinality(v_required) < v_copies THEN RETURN 0; END IF;
  WITH ripe AS MATERIALIZED (
    SELECT m.id FROM omoide.media m
    WHERE m.id = ANY (p_ids) AND m.sealed_at IS NOT NULL
      -- Read again on the row itself when another release of it has committed meanwhile.
      AND m.released_at IS NULL
      AND (
        SELECT count(*) FROM omoide.stored r
        WHERE r.media_id = m.id AND r.storage_id = ANY (v_required)
      ) = cardinality(v_required)
      AND (SELECT count(*) FROM omoide.delivery d WHERE d.media_id = m.id) = 0
    FOR UPDATE SKIP LOCKED
  )
  SELECT array_agg(ripe.id) INTO v_ids FROM ripe;
  IF v_ids IS NULL THEN RETURN 0; END IF;
  -- Once more, in a snapshot that was taken after the rows were locked: whoever takes back a receipt locks
  -- the media's row first. (A transaction with an older snapshot, under repeatable read or serializable,
  -- fails at the lock, since taking back writes that row.)
  SELECT array_agg(s.id), bool_and(s.distrusted_at IS NULL) INTO v_required, v_trusted
  FROM omoide.storage s WHERE s.retired_at IS NULL;
  IF NOT v_trusted OR cardinality(v_required) < v_copies THEN RETURN 0; END IF;
  WITH gone AS (
    UPDATE omoide.media m SET released_at = now()
    WHERE m.id = ANY (v_ids)
      AND (
        SELECT count(*) FROM omoide.stored r
        WHERE r.media_id = m.id AND r.storage_id = ANY (v_required)
      ) = cardinality(v_required)
      AND (SELECT count(*) FROM omoide.delivery d WHERE d.media_id = m.id) = 0
    RETURNING m.id, m.size
  )
  SELECT array_agg(g.id), sum(g.size) INTO v_ids, v_bytes FROM gone g;
  IF v_ids IS NULL THEN RETURN 0; END IF;
  DELETE FROM omoide.media_chunk c WHERE c.media_id = ANY (v_ids);
  PERFORM omoide.tally_inbox(-v_bytes, -cardinality(v_ids));
  RETURN cardinality(v_ids);
END $$;
ALTER FUNCTION omoide.release(p_ids bigint[]) OWNER TO omoide_owner;
CREATE FUNCTION omoide.report_failure(p_id bigint, p_error text, p_final boolean) RETURNS TABLE(attempts integer, parked boolean)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    AS $$
#variable_conflict use_column
DECLARE
  v_id constant smallint := (omoide.own_storage()).id;
BEGIN
  RETURN QUERY
  UPDATE omoide.delivery d
  SET attempts = t.attempts,
    begun_in_life = NULL,
    last_error = left(coalesce(p_error, 'no error given'), 2000),
    next_attempt_at = now()
      + least(interval '5 seconds' * power(4, least(t.attempts, 10) - 1), interval '1 hour'),
    parked_at = CASE WHEN t.attempts >= 6 OR p_final THEN now() END
  FROM (
    SELECT q.storage_id, q.media_id, q.attempts + (q.begun_in_life IS NULL)::int AS attempts
    FROM omoide.delivery q
    WHERE q.storage_id = v_id AND q.media_id = p_id AND q.parked_at IS NULL
    FOR UPDATE
  ) t
  WHERE d.storage_id = t.storage_id AND d.media_id = t.media_id
  RETURNING d.attempts, d.parked_at IS NOT NULL;
END $$;
ALTER FUNCTION omoide.report_failure(p_id bigint, p_error text, p_final boolean) OWNER TO omoide_owner;
CREATE FUNCTION omoide.seal_media(p_media_id bigint, p_size bigint, p_sha256 bytea) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
  v_media omoide.media;
  v_limit omoide.settings;
  v_fit boolean;
  v_wrong text;
  v_holder bytea;
BEGIN
  SELECT * INTO v_media FROM omoide.media m WHERE m.id = p_media_id;
  IF NOT FOUND THEN
    v_wrong := 'it is not open in this transaction';
  ELSIF v_media.sealed_at IS NOT NULL THEN
    v_wrong := 'it is sealed already';
  ELSE
    v_wrong := omoide.unfit_to_seal(p_media_id, p_size, p_sha256);
  END IF;
  IF v_wrong IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'OM011',
      MESSAGE = format('cannot seal media %s: %s', coalesce(p_media_id::text, 'null'), v_wrong),
      HINT = 'Nothing was stored.';
  END IF;
  SELECT * INTO STRICT v_limit FROM omoide.settings;
  v_fit := omoide.check_room(p_size, 0, v_limit);
  BEGIN
    UPDATE omoide.media m
    SET size = p_size, sha256 = p_sha256, sealed_at = now(), holds_name = true,
      public_name = m.item_uuid::text || '.' || m.ext
    WHERE m.id = p_media_id;
  EXCEPTION WHEN unique_violation THEN
    v_holder := omoide.name_holder(
      v_media.owner_uuid, v_media.item_uuid, v_media.media_type, v_media.ext
    );
    UPDATE omoide.media m
    SET size = p_size, sha256 = p_sha256, sealed_at = now(),
      public_name = omoide.public_name(m.item_uuid, m.ext, p_sha256, v_holder)
    WHERE m.id = p_media_id;
  END;
  v_fit := omoide.owe(p_media_id, v_media.owner_uuid, p_size, v_limit);
END $$;
ALTER FUNCTION omoide.seal_media(p_media_id bigint, p_size bigint, p_sha256 bytea) OWNER TO omoide_owner;
CREATE FUNCTION omoide.submit_media(p_owner uuid, p_item uuid, p_media_type text, p_ext text, p_content bytea) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
  v_size constant bigint := octet_length(p_content);
  v_limit omoide.settings;
  v_fit boolean;
  v_sha256 bytea;
  v_id bigint;
BEGIN
  v_fit := omoide.check_description(p_owner, p_item, p_media_type, p_ext);
  IF p_content IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'OM010', MESSAGE = 'content is null; an empty one is allowed',
      HINT = 'Nothing was stored.';
  END IF;
  SELECT * INTO STRICT v_limit FROM omoide.settings;
  v_fit := omoide.check_room(v_size, v_size, v_limit);
  v_sha256 := sha256(p_content);
  -- ON CONFLICT and not an exception block as in seal_media: a subtransaction for each submit.
  INSERT INTO omoide.media
    (owner_uuid, item_uuid, media_type, ext, size, sha256, sealed_at, holds_name, public_name)
  VALUES
    (p_owner, p_item, p_media_type, p_ext, v_size, v_sha256, now(), true, p_item::text || '.' || p_ext)
  ON CONFLICT (owner_uuid, item_uuid, media_type, ext) WHERE holds_name DO NOTHING
  RETURNING id INTO v_id;
  IF NOT FOUND THEN
    INSERT INTO omoide.media
      (owner_uuid, item_uuid, media_type, ext, size, sha256, sealed_at, public_name)
    VALUES
      (p_owner, p_item, p_media_type, p_ext, v_size, v_sha256, now(),
        omoide.public_name(p_item, p_ext, v_sha256,
          omoide.name_holder(p_owner, p_item, p_media_type, p_ext)))
    RETURNING id INTO v_id;
  END IF;
  IF v_size BETWEEN 1 AND 262144 THEN
    INSERT INTO omoide.media_chunk (media_id, seq, bytes) VALUES (v_id, 0, p_content);
  ELSE
    INSERT INTO omoide.media_chunk (media_id, seq, bytes)
    SELECT v_id, n, substring(p_content FROM n * 262144 + 1 FOR 262144)
    FROM generate_series(0, ((v_size + 262143) / 262144)::int - 1) AS n;
  END IF;
  v_fit := omoide.owe(v_id, p_owner, v_size, v_limit);
  RETURN v_id;
END $$;
ALTER FUNCTION omoide.submit_media(p_owner uuid, p_item uuid, p_media_type text, p_ext text, p_content bytea) OWNER TO omoide_owner;
CREATE FUNCTION omoide.sweep() RETURNS TABLE(released bigint, added bigint, evicted integer, next_attempt_in interval)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
#variable_conflict use_column
DECLARE
  v_storage constant omoide.storage := omoide.own_storage();
  v_id constant smallint := v_storage.id;
BEGIN
  evicted := omoide.evict();
  -- Looking at every media costs 100 ms at a backlog of 100,000, so it is done at the worker's start, for
  -- an hour after the storage was registered, and then every five minutes.
  UPDATE omoide.worker w SET looked_at = now()
  WHERE w.storage_id = v_id AND (
    w.looked_at IS NULL OR w.looked_at NOT BETWEEN now() - interval '5 minutes' AND now()
    OR v_storage.required_since > now() - interval '1 hour'
  );
  IF FOUND OR NOT EXISTS (SELECT FROM omoide.worker w WHERE w.storage_id = v_id) THEN
    added := omoide.mend_deliveries(v_id);
  ELSE
    added := 0;
  END IF;
  released := omoide.release(omoide.missed_releases());
  PERFORM omoide.fold_ledger();
  -- Not in the past, and null where there is none (greatest() alone would make that 0).
  SELECT CASE WHEN min(d.next_attempt_at) < now() THEN interval '0'
    ELSE min(d.next_attempt_at) - now() END
  INTO next_attempt_in
  FROM omoide.delivery d
  WHERE d.storage_id = v_id AND d.attempts > 0 AND d.parked_at IS NULL;
  RETURN NEXT;
END $$;
ALTER FUNCTION omoide.sweep() OWNER TO omoide_owner;
CREATE FUNCTION omoide.take_storage(p_schema_version integer, p_storage text, p_identity uuid) RETURNS TABLE(storage_id smallint, prefix_size integer, inbox uuid, unclean boolean)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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
ALTER FUNCTION omoide.take_storage(p_schema_version integer, p_storage text, p_identity uuid) OWNER TO omoide_owner;
CREATE FUNCTION omoide.tally_inbox(p_bytes bigint, p_media bigint) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
  c_inbox constant uuid := 'ffffffff-ffff-ffff-ffff-ffffffffffff';
BEGIN
  -- In a snapshot that does not move, a slot that somebody else has changed since is an error.
  IF current_setting('transaction_isolation') = 'read committed' THEN
    UPDATE omoide.ledger l SET bytes = l.bytes + p_bytes, media = l.media + p_media
    WHERE l.slot = (
      SELECT f.slot FROM omoide.ledger f WHERE f.day = '-infinity' AND f.account = c_inbox
      LIMIT 1 FOR UPDATE SKIP LOCKED
    );
    IF FOUND THEN RETURN; END IF;
  END IF;
  INSERT INTO omoide.ledger (day, account, bytes, media)
  VALUES ('-infinity', c_inbox, p_bytes, p_media);
END $$;
ALTER FUNCTION omoide.tally_inbox(p_bytes bigint, p_media bigint) OWNER TO omoide_owner;
CREATE FUNCTION omoide.unbegin(p_ids bigint[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    AS $$
DECLARE
  v_id constant smallint := (omoide.own_storage()).id;
  v_life bigint;
BEGIN
  SELECT w.life INTO v_life FROM omoide.worker w WHERE w.storage_id = v_id;
  UPDATE omoide.delivery d SET attempts = d.attempts - 1, begun_in_life = NULL
  WHERE d.storage_id = v_id AND d.media_id = ANY (p_ids) AND d.parked_at IS NULL
    AND d.begun_in_life = coalesce(v_life, 0) AND d.attempts > 0;
END $$;
ALTER FUNCTION omoide.unbegin(p_ids bigint[]) OWNER TO omoide_owner;
CREATE FUNCTION omoide.unfit_to_seal(p_media_id bigint, p_size bigint, p_sha256 bytea) RETURNS text
    LANGUAGE plpgsql
    AS $$
DECLARE
  v_chunks bigint;
  v_last int;
  v_bytes bigint;
  v_short int;
BEGIN
  IF p_size IS NULL OR p_size < 0 THEN
    RETURN format('size is %s', coalesce(p_size::text, 'null'));
  ELSIF p_sha256 IS NULL OR octet_length(p_sha256) <> 32 THEN
    RETURN format('sha256 has %s bytes, not 32', coalesce(octet_length(p_sha256)::text, 'no'));
  END IF;
  SELECT count(*), coalesce(max(c.seq), -1), coalesce(sum(octet_length(c.bytes)), 0),
    min(c.seq) FILTER (WHERE octet_length(c.bytes) <> 262144)
  INTO v_chunks, v_last, v_bytes, v_short
  FROM omoide.media_chunk c WHERE c.media_id = p_media_id;
  IF v_chunks <> v_last + 1 THEN
    RETURN format('%s chunks, but the last is number %s: at least one is missing',
      v_chunks, v_last);
  ELSIF v_short < v_last THEN
    RETURN format('chunk %s is shorter than 262144 bytes and not the last', v_short);
  ELSIF v_bytes <> p_size THEN
    RETURN format('the chunks have %s bytes, not %s', v_bytes, p_size);
  END IF;
  -- The checksum of what is in one chunk costs less than 1 ms; of 1 GiB it would cost seconds, and the
  -- worker checks every byte anyway. So a small media's wrong checksum is told at once.
  IF v_chunks <= 1 AND p_sha256 <> coalesce(
    (SELECT sha256(c.bytes) FROM omoide.media_chunk c WHERE c.media_id = p_media_id), sha256('')
  ) THEN
    RETURN 'the chunks have another sha256';
  END IF;
  RETURN NULL;
END $$;
ALTER FUNCTION omoide.unfit_to_seal(p_media_id bigint, p_size bigint, p_sha256 bytea) OWNER TO omoide_owner;
CREATE TABLE omoide.delivery (
    storage_id smallint NOT NULL,
    media_id bigint NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    next_attempt_at timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL,
    last_error text,
    parked_at timestamp with time zone,
    begun_in_life bigint,
    CONSTRAINT delivery_attempts_check CHECK ((attempts >= 0))
)
WITH (autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='1000', autovacuum_vacuum_cost_delay='0');
ALTER TABLE omoide.delivery OWNER TO omoide_owner;
CREATE TABLE omoide.ledger (
    slot bigint NOT NULL,
    day date NOT NULL,
    account uuid NOT NULL,
    bytes bigint NOT NULL,
    media bigint NOT NULL
)
WITH (fillfactor='50', autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='1000');
ALTER TABLE omoide.ledger OWNER TO omoide_owner;
CREATE TABLE omoide.media (
    id bigint NOT NULL,
    owner_uuid uuid NOT NULL,
    item_uuid uuid NOT NULL,
    media_type text NOT NULL,
    ext text NOT NULL,
    size bigint,
    sha256 bytea,
    public_name text,
    holds_name boolean DEFAULT false NOT NULL,
    opened_at timestamp with time zone DEFAULT now() NOT NULL,
    sealed_at timestamp with time zone,
    released_at timestamp with time zone,
    CONSTRAINT media_check CHECK (((public_name = (((item_uuid)::text || '.'::text) || ext)) OR (public_name = (((((item_uuid)::text || '~'::text) || encode(sha256, 'hex'::text)) || '.'::text) || ext)))),
    CONSTRAINT media_check1 CHECK ((num_nulls(size, sha256, public_name, sealed_at) = ANY (ARRAY[0, 4]))),
    CONSTRAINT media_check2 CHECK (((sealed_at IS NOT NULL) OR (NOT holds_name))),
    CONSTRAINT media_check3 CHECK (((sealed_at IS NOT NULL) OR (released_at IS NULL))),
    CONSTRAINT media_ext_check CHECK ((ext ~ '^[A-Za-z0-9]{1,16}$'::text)),
    CONSTRAINT media_media_type_check CHECK ((media_type = ANY (ARRAY['content'::text, 'preview'::text, 'thumbnail'::text]))),
    CONSTRAINT media_sha256_check CHECK ((octet_length(sha256) = 32)),
    CONSTRAINT media_size_check CHECK ((size >= 0))
)
WITH (autovacuum_vacuum_scale_factor='0.01', autovacuum_vacuum_threshold='5000', autovacuum_vacuum_cost_delay='0');
ALTER TABLE omoide.media OWNER TO omoide_owner;
CREATE TABLE omoide.media_chunk (
    media_id bigint NOT NULL,
    seq integer NOT NULL,
    bytes bytea NOT NULL,
    CONSTRAINT media_chunk_bytes_check CHECK (((octet_length(bytes) >= 1) AND (octet_length(bytes) <= 262144))),
    CONSTRAINT media_chunk_seq_check CHECK ((seq >= 0))
)
WITH (autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='0', autovacuum_vacuum_cost_delay='0', autovacuum_vacuum_insert_threshold='-1', toast.autovacuum_vacuum_scale_factor='0', toast.autovacuum_vacuum_threshold='0', toast.autovacuum_vacuum_cost_delay='0', toast.autovacuum_vacuum_insert_threshold='-1');
ALTER TABLE ONLY omoide.media_chunk ALTER COLUMN bytes SET STORAGE EXTERNAL;
ALTER TABLE omoide.media_chunk OWNER TO omoide_owner;
CREATE VIEW omoide.inbox_status AS
 SELECT (( SELECT COALESCE(sum(l.media), (0)::numeric) AS "coalesce"
           FROM omoide.ledger l
          WHERE ((l.day = '-infinity'::date) AND (l.account = 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid))))::bigint AS media,
    (( SELECT COALESCE(sum(l.bytes), (0)::numeric) AS "coalesce"
           FROM omoide.ledger l
          WHERE ((l.day = '-infinity'::date) AND (l.account = 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid))))::bigint AS bytes,
    t.max_inbox_bytes,
    pg_table_size('omoide.media_chunk'::regclass) AS disk_bytes,
    t.max_inbox_disk_bytes,
    ( SELECT m.sealed_at
           FROM omoide.media m
          WHERE ((m.released_at IS NULL) AND (m.sealed_at IS NOT NULL))
          ORDER BY m.id
         LIMIT 1) AS oldest_sealed_at
   FROM omoide.settings t;
ALTER TABLE omoide.inbox_status OWNER TO omoide_owner;
ALTER TABLE omoide.ledger ALTER COLUMN slot ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME omoide.ledger_slot_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
ALTER TABLE omoide.media ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME omoide.media_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE omoide.migration (
    version integer NOT NULL,
    name text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE omoide.migration OWNER TO omoide_owner;
CREATE VIEW omoide.my_chunk WITH (security_barrier='true') AS
 SELECT c.media_id,
    c.seq,
    c.bytes
   FROM omoide.media_chunk c
  WHERE ( SELECT true
           FROM omoide.delivery d
          WHERE ((d.storage_id = ( SELECT s.id
                   FROM omoide.storage s
                  WHERE ((s.role = SESSION_USER) AND (s.retired_at IS NULL)))) AND (d.media_id = c.media_id) AND (d.parked_at IS NULL))
         LIMIT 1);
ALTER TABLE omoide.my_chunk OWNER TO omoide_owner;
CREATE VIEW omoide.owed AS
 SELECT s.name AS storage,
    d.media_id,
    d.attempts,
    NULLIF(d.next_attempt_at, '-infinity'::timestamp with time zone) AS next_attempt_at,
    d.last_error,
    d.parked_at
   FROM (omoide.delivery d
     JOIN omoide.storage s ON ((s.id = d.storage_id)));
ALTER TABLE omoide.owed OWNER TO omoide_owner;
CREATE TABLE omoide.stored (
    storage_id smallint NOT NULL,
    media_id bigint NOT NULL,
    outcome text NOT NULL,
    path text,
    stored_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT stored_outcome_check CHECK ((outcome = ANY (ARRAY['stored'::text, 'present'::text, 'renamed'::text]))),
    CONSTRAINT stored_path_check CHECK (((octet_length(path) <= 200) AND (path ~ '^[A-Za-z0-9/~.-]+$'::text) AND (path !~ '(^|/)[.]*(/|$)'::text)))
);
ALTER TABLE omoide.stored OWNER TO omoide_owner;
CREATE VIEW omoide.receipt AS
 SELECT s.name AS storage,
    r.media_id,
    m.owner_uuid,
    m.item_uuid,
    m.media_type,
    m.ext,
    COALESCE(r.path, concat_ws('/'::text, m.media_type, m.owner_uuid, "left"((m.item_uuid)::text, s.prefix_size), m.public_name)) AS path,
    m.size,
    m.sha256,
    r.outcome,
    r.stored_at
   FROM ((omoide.stored r
     JOIN omoide.storage s ON ((s.id = r.storage_id)))
     JOIN omoide.media m ON ((m.id = r.media_id)));
ALTER TABLE omoide.receipt OWNER TO omoide_owner;
CREATE VIEW omoide.releasable AS
 SELECT c.id AS media_id
   FROM ( SELECT m.id
           FROM omoide.media m
          WHERE ((m.released_at IS NULL) AND (m.sealed_at IS NOT NULL) AND ( SELECT ((count(*) >= ( SELECT t.min_copies
                           FROM omoide.settings t)) AND bool_and((s.distrusted_at IS NULL)))
                   FROM omoide.storage s
                  WHERE (s.retired_at IS NULL)) AND (NOT (EXISTS ( SELECT
                   FROM omoide.delivery d
                  WHERE (d.media_id = m.id)))))
         OFFSET 0) c
  WHERE (( SELECT count(*) AS count
           FROM omoide.stored r
          WHERE ((r.media_id = c.id) AND (r.storage_id = ANY (ARRAY( SELECT s.id
                   FROM omoide.storage s
                  WHERE (s.retired_at IS NULL)))))) = ( SELECT count(*) AS count
           FROM omoide.storage s
          WHERE (s.retired_at IS NULL)));
ALTER TABLE omoide.releasable OWNER TO omoide_owner;
ALTER TABLE omoide.storage ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME omoide.storage_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE VIEW omoide.usage_today AS
 SELECT l.account AS owner_uuid,
    (sum(l.bytes))::bigint AS bytes,
    (sum(l.media))::bigint AS media
   FROM omoide.ledger l
  WHERE (l.day = ((now() AT TIME ZONE 'UTC'::text))::date)
  GROUP BY l.account;
ALTER TABLE omoide.usage_today OWNER TO omoide_owner;
CREATE TABLE omoide.worker (
    storage_id smallint NOT NULL,
    life bigint DEFAULT 0 NOT NULL,
    version text,
    started_at timestamp with time zone,
    seen_at timestamp with time zone DEFAULT now() NOT NULL,
    state text NOT NULL,
    reason text,
    free_bytes bigint,
    total_bytes bigint,
    free_inodes bigint,
    total_inodes bigint,
    stored_media bigint,
    stored_bytes bigint,
    last_error text,
    standby_seen_at timestamp with time zone,
    looked_at timestamp with time zone,
    CONSTRAINT worker_state_check CHECK ((state = ANY (ARRAY['starting'::text, 'idle'::text, 'storing'::text, 'paused'::text, 'standby'::text, 'stopped'::text, 'distrusted'::text])))
)
WITH (fillfactor='50');
ALTER TABLE omoide.worker OWNER TO omoide_owner;
CREATE VIEW omoide.worker_status AS
 SELECT s.name AS storage,
    w.version,
    w.state,
    w.reason,
    w.seen_at,
    w.started_at,
    w.free_bytes,
    w.total_bytes,
    w.free_inodes,
    w.total_inodes,
    w.stored_media,
    w.stored_bytes,
    w.last_error,
    w.standby_seen_at,
    s.required_since,
    s.retired_at,
    s.distrusted_at,
    s.distrusted_reason
   FROM (omoide.storage s
     LEFT JOIN omoide.worker w ON ((w.storage_id = s.id)));
ALTER TABLE omoide.worker_status OWNER TO omoide_owner;
INSERT INTO omoide.delivery (storage_id, media_id, attempts, next_attempt_at, last_error, parked_at, begun_in_life) VALUES (2, 3, 0, '-infinity', NULL, NULL, NULL);
INSERT INTO omoide.delivery (storage_id, media_id, attempts, next_attempt_at, last_error, parked_at, begun_in_life) VALUES (1, 5, 0, '-infinity', NULL, NULL, NULL);
INSERT INTO omoide.delivery (storage_id, media_id, attempts, next_attempt_at, last_error, parked_at, begun_in_life) VALUES (1, 7, 0, '-infinity', NULL, NULL, NULL);
INSERT INTO omoide.delivery (storage_id, media_id, attempts, next_attempt_at, last_error, parked_at, begun_in_life) VALUES (2, 7, 0, '-infinity', NULL, NULL, NULL);
INSERT INTO omoide.delivery (storage_id, media_id, attempts, next_attempt_at, last_error, parked_at, begun_in_life) VALUES (1, 8, 0, '-infinity', NULL, NULL, NULL);
INSERT INTO omoide.delivery (storage_id, media_id, attempts, next_attempt_at, last_error, parked_at, begun_in_life) VALUES (2, 8, 0, '-infinity', NULL, NULL, NULL);
INSERT INTO omoide.delivery (storage_id, media_id, attempts, next_attempt_at, last_error, parked_at, begun_in_life) VALUES (1, 9, 1, '2026-11-26 12:33:40.165908+00', 'no space', NULL, NULL);
INSERT INTO omoide.delivery (storage_id, media_id, attempts, next_attempt_at, last_error, parked_at, begun_in_life) VALUES (2, 9, 1, '2026-11-26 12:33:40.168273+00', 'checksum', '2026-11-26 12:33:35.168273+00', NULL);
INSERT INTO omoide.delivery (storage_id, media_id, attempts, next_attempt_at, last_error, parked_at, begun_in_life) VALUES (1, 3, 1, '-infinity', NULL, NULL, 1);
INSERT INTO omoide.ledger (slot, day, account, bytes, media) OVERRIDING SYSTEM VALUE VALUES (1, '2026-11-26', '22222222-2222-4222-8222-222222222222', 28672, 7);
INSERT INTO omoide.ledger (slot, day, account, bytes, media) OVERRIDING SYSTEM VALUE VALUES (2, '2026-11-26', '00000000-0000-0000-0000-000000000000', 28672, 7);
INSERT INTO omoide.ledger (slot, day, account, bytes, media) OVERRIDING SYSTEM VALUE VALUES (3, '-infinity', 'ffffffff-ffff-ffff-ffff-ffffffffffff', 28, 5);
INSERT INTO omoide.media (id, owner_uuid, item_uuid, media_type, ext, size, sha256, public_name, holds_name, opened_at, sealed_at, released_at) OVERRIDING SYSTEM VALUE VALUES (1, '22222222-2222-4222-8222-222222222222', '33333333-3333-4333-8333-000000000001', 'content', 'jpg', 3, '\x7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed', '33333333-3333-4333-8333-000000000001.jpg', true, '2026-11-26 12:33:35.098316+00', '2026-11-26 12:33:35.098316+00', '2026-11-26 12:33:35.133907+00');
INSERT INTO omoide.media (id, owner_uuid, item_uuid, media_type, ext, size, sha256, public_name, holds_name, opened_at, sealed_at, released_at) OVERRIDING SYSTEM VALUE VALUES (2, '22222222-2222-4222-8222-222222222222', '33333333-3333-4333-8333-000000000002', 'content', 'jpg', 3, '\x3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3', '33333333-3333-4333-8333-000000000002.jpg', true, '2026-11-26 12:33:35.141779+00', '2026-11-26 12:33:35.141779+00', '2026-11-26 12:33:35.150557+00');
INSERT INTO omoide.media (id, owner_uuid, item_uuid, media_type, ext, size, sha256, public_name, holds_name, opened_at, sealed_at, released_at) OVERRIDING SYSTEM VALUE VALUES (3, '22222222-2222-4222-8222-222222222222', '33333333-3333-4333-8333-000000000003', 'content', 'jpg', 5, '\x8b5b9db0c13db24256c829aa364aa90c6d2eba318b9232a4ab9313b954d3555f', '33333333-3333-4333-8333-000000000003.jpg', true, '2026-11-26 12:33:35.154166+00', '2026-11-26 12:33:35.154166+00', NULL);
INSERT INTO omoide.media (id, owner_uuid, item_uuid, media_type, ext, size, sha256, public_name, holds_name, opened_at, sealed_at, released_at) OVERRIDING SYSTEM VALUE VALUES (5, '22222222-2222-4222-8222-222222222222', '33333333-3333-4333-8333-000000000003', 'content', 'jpg', 11, '\x0059ee4871e0e4c8b72c1f3cb8cd46100882c5286b90dfe55456183e5c4bf8e6', '33333333-3333-4333-8333-000000000003~0059ee4871e0e4c8b72c1f3cb8cd46100882c5286b90dfe55456183e5c4bf8e6.jpg', false, '2026-11-26 12:33:35.156589+00', '2026-11-26 12:33:35.156589+00', NULL);
INSERT INTO omoide.media (id, owner_uuid, item_uuid, media_type, ext, size, sha256, public_name, holds_name, opened_at, sealed_at, released_at) OVERRIDING SYSTEM VALUE VALUES (7, '22222222-2222-4222-8222-222222222222', '33333333-3333-4333-8333-000000000003', 'content', 'jpg', 5, '\x8b5b9db0c13db24256c829aa364aa90c6d2eba318b9232a4ab9313b954d3555f', '33333333-3333-4333-8333-000000000003.jpg', false, '2026-11-26 12:33:35.159752+00', '2026-11-26 12:33:35.159752+00', NULL);
INSERT INTO omoide.media (id, owner_uuid, item_uuid, media_type, ext, size, sha256, public_name, holds_name, opened_at, sealed_at, released_at) OVERRIDING SYSTEM VALUE VALUES (8, '22222222-2222-4222-8222-222222222222', '33333333-3333-4333-8333-000000000004', 'thumbnail', 'webp', 0, '\xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', '33333333-3333-4333-8333-000000000004.webp', true, '2026-11-26 12:33:35.161796+00', '2026-11-26 12:33:35.161796+00', NULL);
INSERT INTO omoide.media (id, owner_uuid, item_uuid, media_type, ext, size, sha256, public_name, holds_name, opened_at, sealed_at, released_at) OVERRIDING SYSTEM VALUE VALUES (9, '22222222-2222-4222-8222-222222222222', '33333333-3333-4333-8333-000000000005', 'preview', 'png', 7, '\x5f76b3ec626ebf4e675bd5767dd1671758b70b3550b1e2ee86e2cc1f20e42cf2', '33333333-3333-4333-8333-000000000005.png', true, '2026-11-26 12:33:35.16417+00', '2026-11-26 12:33:35.16417+00', NULL);
INSERT INTO omoide.media_chunk (media_id, seq, bytes) VALUES (3, 0, '\x7468726565');
INSERT INTO omoide.media_chunk (media_id, seq, bytes) VALUES (5, 0, '\x6f74686572207468726565');
INSERT INTO omoide.media_chunk (media_id, seq, bytes) VALUES (7, 0, '\x7468726565');
INSERT INTO omoide.media_chunk (media_id, seq, bytes) VALUES (9, 0, '\x6661696c696e67');
INSERT INTO omoide.migration (version, name, applied_at) VALUES (1, 'tables', '2026-11-26 12:33:34.859988+00');
INSERT INTO omoide.migration (version, name, applied_at) VALUES (2, 'limits', '2026-11-26 12:33:34.859988+00');
INSERT INTO omoide.migration (version, name, applied_at) VALUES (3, 'application', '2026-11-26 12:33:34.859988+00');
INSERT INTO omoide.migration (version, name, applied_at) VALUES (4, 'storages', '2026-11-26 12:33:34.859988+00');
INSERT INTO omoide.migration (version, name, applied_at) VALUES (5, 'deliveries', '2026-11-26 12:33:34.859988+00');
INSERT INTO omoide.migration (version, name, applied_at) VALUES (6, 'release', '2026-11-26 12:33:34.859988+00');
INSERT INTO omoide.migration (version, name, applied_at) VALUES (7, 'views', '2026-11-26 12:33:34.859988+00');
INSERT INTO omoide.migration (version, name, applied_at) VALUES (8, 'unbegin', '2026-11-26 12:33:34.859988+00');
INSERT INTO omoide.settings (only_row, inbox, schema_version, min_copies, max_inbox_bytes, max_inbox_disk_bytes, max_media_bytes, owner_bytes_per_day, owner_media_per_day, all_bytes_per_day, all_media_per_day, max_transaction_age) VALUES (true, '11111111-1111-4111-8111-111111111111', 8, 2, 12345678, 17179869184, 4294967296, 53687091200, 777, 536870912000, 1000000, '00:05:00');
INSERT INTO omoide.storage (id, name, role, identity, prefix_size, required_since, retired_at, distrusted_at, distrusted_reason) OVERRIDING SYSTEM VALUE VALUES (1, 'hot', 'omoide_hot', '00000000-0000-4000-8000-000000000001', 2, '2026-11-26 12:33:34.966428+00', NULL, NULL, NULL);
INSERT INTO omoide.storage (id, name, role, identity, prefix_size, required_since, retired_at, distrusted_at, distrusted_reason) OVERRIDING SYSTEM VALUE VALUES (3, 'old', 'omoide_old', '00000000-0000-4000-8000-000000000003', 2, '2026-11-26 12:33:35.032285+00', '2026-11-01 00:00:00+00', NULL, NULL);
INSERT INTO omoide.storage (id, name, role, identity, prefix_size, required_since, retired_at, distrusted_at, distrusted_reason) OVERRIDING SYSTEM VALUE VALUES (2, 'cold', 'omoide_cold', '00000000-0000-4000-8000-000000000002', 3, '2026-11-26 12:33:34.997601+00', NULL, '2026-11-26 12:33:35.174083+00', 'fsync failed');
INSERT INTO omoide.stored (storage_id, media_id, outcome, path, stored_at) VALUES (1, 1, 'stored', NULL, '2026-11-26 12:33:35.114464+00');
INSERT INTO omoide.stored (storage_id, media_id, outcome, path, stored_at) VALUES (2, 1, 'stored', NULL, '2026-11-26 12:33:35.120201+00');
INSERT INTO omoide.stored (storage_id, media_id, outcome, path, stored_at) VALUES (3, 1, 'stored', NULL, '2026-11-26 12:33:35.125512+00');
INSERT INTO omoide.stored (storage_id, media_id, outcome, path, stored_at) VALUES (1, 2, 'renamed', 'content/22222222-2222-4222-8222-222222222222/33/33333333-3333-4333-8333-000000000002~3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3.jpg', '2026-11-26 12:33:35.144925+00');
INSERT INTO omoide.stored (storage_id, media_id, outcome, path, stored_at) VALUES (2, 2, 'present', NULL, '2026-11-26 12:33:35.147066+00');
INSERT INTO omoide.stored (storage_id, media_id, outcome, path, stored_at) VALUES (3, 2, 'stored', NULL, '2026-11-26 12:33:35.148916+00');
INSERT INTO omoide.stored (storage_id, media_id, outcome, path, stored_at) VALUES (2, 5, 'stored', NULL, '2026-11-26 12:33:35.171918+00');
INSERT INTO omoide.worker (storage_id, life, version, started_at, seen_at, state, reason, free_bytes, total_bytes, free_inodes, total_inodes, stored_media, stored_bytes, last_error, standby_seen_at, looked_at) VALUES (2, 1, NULL, NULL, '2026-11-26 12:33:35.091142+00', 'starting', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO omoide.worker (storage_id, life, version, started_at, seen_at, state, reason, free_bytes, total_bytes, free_inodes, total_inodes, stored_media, stored_bytes, last_error, standby_seen_at, looked_at) VALUES (1, 1, '1.0', '2026-11-26 12:33:35.173184+00', '2026-11-26 12:33:35.173184+00', 'paused', 'full', 1, 2, 3, 4, 5, 6, 'x', NULL, NULL);
SELECT pg_catalog.setval('omoide.ledger_slot_seq', 3, true);
SELECT pg_catalog.setval('omoide.media_id_seq', 9, true);
SELECT pg_catalog.setval('omoide.storage_id_seq', 3, true);
ALTER TABLE ONLY omoide.delivery
    ADD CONSTRAINT delivery_pkey PRIMARY KEY (storage_id, media_id);
ALTER TABLE ONLY omoide.ledger
    ADD CONSTRAINT ledger_pkey PRIMARY KEY (slot);
ALTER TABLE ONLY omoide.media_chunk
    ADD CONSTRAINT media_chunk_pkey PRIMARY KEY (media_id, seq);
ALTER TABLE ONLY omoide.media
    ADD CONSTRAINT media_pkey PRIMARY KEY (id);
ALTER TABLE ONLY omoide.migration
    ADD CONSTRAINT migration_pkey PRIMARY KEY (version);
ALTER TABLE ONLY omoide.settings
    ADD CONSTRAINT settings_pkey PRIMARY KEY (only_row);
ALTER TABLE ONLY omoide.storage
    ADD CONSTRAINT storage_identity_key UNIQUE (identity);
ALTER TABLE ONLY omoide.storage
    ADD CONSTRAINT storage_name_key UNIQUE (name);
ALTER TABLE ONLY omoide.storage
    ADD CONSTRAINT storage_pkey PRIMARY KEY (id);
ALTER TABLE ONLY omoide.storage
    ADD CONSTRAINT storage_role_key UNIQUE (role);
ALTER TABLE ONLY omoide.stored
    ADD CONSTRAINT stored_pkey PRIMARY KEY (storage_id, media_id);
ALTER TABLE ONLY omoide.worker
    ADD CONSTRAINT worker_pkey PRIMARY KEY (storage_id);
CREATE INDEX delivery_again ON omoide.delivery USING btree (storage_id, next_attempt_at) WHERE ((attempts > 0) AND (parked_at IS NULL));
CREATE INDEX delivery_media ON omoide.delivery USING btree (media_id);
CREATE INDEX ledger_account ON omoide.ledger USING btree (day, account);
CREATE INDEX media_in_inbox ON omoide.media USING btree (id) WHERE (released_at IS NULL);
CREATE INDEX media_item ON omoide.media USING btree (owner_uuid, item_uuid) WHERE (NOT holds_name);
CREATE UNIQUE INDEX media_name ON omoide.media USING btree (owner_uuid, item_uuid, media_type, ext) WHERE holds_name;
CREATE CONSTRAINT TRIGGER media_is_sealed AFTER INSERT ON omoide.media DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN ((new.sealed_at IS NULL)) EXECUTE FUNCTION omoide.refuse_unsealed();
GRANT USAGE ON SCHEMA omoide TO omoide_app;
GRANT USAGE ON SCHEMA omoide TO omoide_monitor;
GRANT USAGE ON SCHEMA omoide TO omoide_hot;
GRANT USAGE ON SCHEMA omoide TO omoide_cold;
GRANT USAGE ON SCHEMA omoide TO omoide_old;
REVOKE USAGE ON SCHEMA public FROM PUBLIC;
REVOKE ALL ON LANGUAGE plpgsql FROM PUBLIC;
GRANT ALL ON LANGUAGE plpgsql TO omoide_owner;
REVOKE ALL ON FUNCTION omoide.acknowledge(p_ids bigint[], p_sha256 bytea[], p_sizes bigint[], p_outcomes text[], p_paths text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION omoide.acknowledge(p_ids bigint[], p_sha256 bytea[], p_sizes bigint[], p_outcomes text[], p_paths text[]) TO omoide_hot;
GRANT ALL ON FUNCTION omoide.acknowledge(p_ids bigint[], p_sha256 bytea[], p_sizes bigint[], p_outcomes text[], p_paths text[]) TO omoide_cold;
GRANT ALL ON FUNCTION omoide.acknowledge(p_ids bigint[], p_sha256 bytea[], p_sizes bigint[], p_outcomes text[], p_paths text[]) TO omoide_old;
REVOKE ALL ON FUNCTION omoide.append_chunk(p_media_id bigint, p_seq integer, p_bytes bytea) FROM PUBLIC;
GRANT ALL ON FUNCTION omoide.append_chunk(p_media_id bigint, p_seq integer, p_bytes bytea) TO omoide_app;
REVOKE ALL ON FUNCTION omoide.begin(p_ids bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION omoide.begin(p_ids bigint[]) TO omoide_hot;
GRANT ALL ON FUNCTION omoide.begin(p_ids bigint[]) TO omoide_cold;
GRANT ALL ON FUNCTION omoide.begin(p_ids bigint[]) TO omoide_old;
GRANT SELECT ON TABLE omoide.settings TO omoide_monitor;
REVOKE ALL ON FUNCTION omoide.charge(p_owner uuid, p_size bigint, p_limit omoide.settings) FROM PUBLIC;
REVOKE ALL ON FUNCTION omoide.check_description(p_owner uuid, p_item uuid, p_media_type text, p_ext text) FROM PUBLIC;
REVOKE ALL ON FUNCTION omoide.check_room(p_size bigint, p_more bigint, p_limit omoide.settings) FROM PUBLIC;
REVOKE ALL ON FUNCTION omoide.check_storage(p_schema_version integer, p_storage text, p_identity uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION omoide.check_storage(p_schema_version integer, p_storage text, p_identity uuid) TO omoide_hot;
GRANT ALL ON FUNCTION omoide.check_storage(p_schema_version integer, p_storage text, p_identity uuid) TO omoide_cold;
GRANT ALL ON FUNCTION omoide.check_storage(p_schema_version integer, p_storage text, p_identity uuid) TO omoide_old;
REVOKE ALL ON FUNCTION omoide.distrust(p_reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION omoide.distrust(p_reason text) TO omoide_hot;
GRANT ALL ON FUNCTION omoide.distrust(p_reason text) TO omoide_cold;
GRANT ALL ON FUNCTION omoide.distrust(p_reason text) TO omoide_old;
REVOKE ALL ON FUNCTION omoide.evict() FROM PUBLIC;
GRANT ALL ON FUNCTION omoide.evict() TO omoide_hot;
GRANT ALL ON FUNCTION omoide.evict() TO omoide_cold;
GRANT ALL ON FUNCTION omoide.evict() TO omoide_old;
REVOKE ALL ON FUNCTION omoide.find_media(p_owner uuid, p_item uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION omoide.find_media(p_owner uuid, p_item uuid) TO omoide_app;
REVOKE ALL ON FUNCTION omoide.fit_storage(p_schema_version integer, p_storage text, p_identity uuid) FROM PUBLIC;
REVOKE ALL ON FUNCTION omoide.fold_ledger() FROM PUBLIC;
REVOKE ALL ON FUNCTION omoide.heartbeat(p_version text, p_started_at timestamp with time zone, p_state text, p_reason text, p_free_bytes bigint, p_total_bytes bigint, p_free_inodes bigint, p_total_inodes bigint, p_stored_media bigint, p_stored_bytes bigint, p_last_error text) FROM PUBLIC;
GRANT ALL ON FUNCTION omoide.heartbeat(p_version text, p_started_at timestamp with time zone, p_state text, p_reason text, p_free_bytes bigint, p_total_bytes bigint, p_free_inodes bigint, p_total_inodes bigint, p_stored_media bigint, p_stored_bytes bigint, p_last_error text) TO omoide_hot;
GRANT ALL ON FUNCTION omoide.heartbeat(p_version text, p_started_at timestamp with time zone, p_state text, p_reason text, p_free_bytes bigint, p_total_bytes bigint, p_free_inodes bigint, p_total_inodes bigint, p_stored_media bigint, p_stored_bytes bigint, p_last_error text) TO omoide_cold;
GRANT ALL ON FUNCTION omoide.heartbeat(p_version text, p_started_at timestamp with time zone, p_state text, p_reason text, p_free_bytes bigint, p_total_bytes bigint, p_free_inodes bigint, p_total_inodes bigint, p_stored_media bigint, p_stored_bytes bigint, p_last_error text) TO omoide_old;
REVOKE ALL ON FUNCTION omoide.mend_deliveries(p_storage smallint) FROM PUBLIC;
REVOKE ALL ON FUNCTION omoide.missed_releases() FROM PUBLIC;
REVOKE ALL ON FUNCTION omoide.name_holder(p_owner uuid, p_item uuid, p_media_type text, p_ext text) FROM PUBLIC;
REVOKE ALL ON FUNCTION omoide.open_media(p_owner uuid, p_item uuid, p_media_type text, p_ext text) FROM PUBLIC;
GRANT ALL ON FUNCTION omoide.open_media(p_owner uuid, p_item uuid, p_media_type text, p_ext text) TO omoide_app;
REVOKE ALL ON FUNCTION omoide.owe(p_id bigint, p_owner uuid, p_size bigint, p_limit omoide.settings) FROM PUBLIC;
REVOKE ALL ON FUNCTION omoide.own_storage() FROM PUBLIC;
REVOKE ALL ON FUNCTION omoide.pending(p_after bigint, p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION omoide.pending(p_after bigint, p_limit integer) TO omoide_hot;
GRANT ALL ON FUNCTION omoide.pending(p_after bigint, p_limit integer) TO omoide_cold;
GRANT ALL ON FUNCTION omoide.pending(p_after bigint, p_limit integer) TO omoide_old;
REVOKE ALL ON FUNCTION omoide.public_name(p_item uuid, p_ext text, p_sha256 bytea, p_holder bytea) FROM PUBLIC;
REVOKE ALL ON FUNCTION omoide.refuse_distrusted(p_storage omoide.storage) FROM PUBLIC;
REVOKE ALL ON FUNCTION omoide.refuse_unsealed() FROM PUBLIC;
REVOKE ALL ON FUNCTION omoide.release(p_ids bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION omoide.release(p_ids bigint[]) TO omoide_hot;
GRANT ALL ON FUNCTION omoide.release(p_ids bigint[]) TO omoide_cold;
GRANT ALL ON FUNCTION omoide.release(p_ids bigint[]) TO omoide_old;
REVOKE ALL ON FUNCTION omoide.report_failure(p_id bigint, p_error text, p_final boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION omoide.report_failure(p_id bigint, p_error text, p_final boolean) TO omoide_hot;
GRANT ALL ON FUNCTION omoide.report_failure(p_id bigint, p_error text, p_final boolean) TO omoide_cold;
GRANT ALL ON FUNCTION omoide.report_failure(p_id bigint, p_error text, p_final boolean) TO omoide_old;
REVOKE ALL ON FUNCTION omoide.seal_media(p_media_id bigint, p_size bigint, p_sha256 bytea) FROM PUBLIC;
GRANT ALL ON FUNCTION omoide.seal_media(p_media_id bigint, p_size bigint, p_sha256 bytea) TO omoide_app;
REVOKE ALL ON FUNCTION omoide.submit_media(p_owner uuid, p_item uuid, p_media_type text, p_ext text, p_content bytea) FROM PUBLIC;
GRANT ALL ON FUNCTION omoide.submit_media(p_owner uuid, p_item uuid, p_media_type text, p_ext text, p_content bytea) TO omoide_app;
REVOKE ALL ON FUNCTION omoide.sweep() FROM PUBLIC;
GRANT ALL ON FUNCTION omoide.sweep() TO omoide_hot;
GRANT ALL ON FUNCTION omoide.sweep() TO omoide_cold;
GRANT ALL ON FUNCTION omoide.sweep() TO omoide_old;
REVOKE ALL ON FUNCTION omoide.take_storage(p_schema_version integer, p_storage text, p_identity uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION omoide.take_storage(p_schema_version integer, p_storage text, p_identity uuid) TO omoide_hot;
GRANT ALL ON FUNCTION omoide.take_storage(p_schema_version integer, p_storage text, p_identity uuid) TO omoide_cold;
GRANT ALL ON FUNCTION omoide.take_storage(p_schema_version integer, p_storage text, p_identity uuid) TO omoide_old;
REVOKE ALL ON FUNCTION omoide.tally_inbox(p_bytes bigint, p_media bigint) FROM PUBLIC;
REVOKE ALL ON FUNCTION omoide.unbegin(p_ids bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION omoide.unbegin(p_ids bigint[]) TO omoide_hot;
GRANT ALL ON FUNCTION omoide.unbegin(p_ids bigint[]) TO omoide_cold;
GRANT ALL ON FUNCTION omoide.unbegin(p_ids bigint[]) TO omoide_old;
REVOKE ALL ON FUNCTION omoide.unfit_to_seal(p_media_id bigint, p_size bigint, p_sha256 bytea) FROM PUBLIC;
GRANT SELECT ON TABLE omoide.inbox_status TO omoide_monitor;
GRANT SELECT ON TABLE omoide.my_chunk TO omoide_hot;
GRANT SELECT ON TABLE omoide.my_chunk TO omoide_cold;
GRANT SELECT ON TABLE omoide.my_chunk TO omoide_old;
GRANT SELECT ON TABLE omoide.owed TO omoide_monitor;
GRANT SELECT ON TABLE omoide.usage_today TO omoide_monitor;
GRANT SELECT ON TABLE omoide.worker_status TO omoide_monitor;
ALTER DEFAULT PRIVILEGES FOR ROLE omoide_owner REVOKE ALL ON FUNCTIONS  FROM PUBLIC;
