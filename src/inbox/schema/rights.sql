-- Who may do what. Not a migration: `inbox init` and `storage init` run the newest each time, so that a
-- right given by hand, or lost in a restore, is repaired. Roles and their settings: ../admin/roles.ts.
-- Runs as a superuser, in the migrations' transaction. `:owner`, `:app` and `:monitor` are the inbox's
-- roles, as psql's variables (../admin/rights.ts).

-- Nothing for everybody: neither in this database nor, by ways around it, on its disk. A temporary table,
-- a large object and a WAL message are bytes that no limit counts; an advisory lock could be a worker's;
-- a DO block is a program; an exported snapshot outlives its transaction (evict() goes by that one's age).
-- And nothing of other sessions: those of one role may otherwise read each other's statements, literals
-- included, and end each other.
DO $$
DECLARE
  v_call text;
  v_role text;
BEGIN
  EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
  REVOKE ALL ON SCHEMA public FROM PUBLIC;
  REVOKE ALL ON LANGUAGE plpgsql FROM PUBLIC;
  REVOKE ALL ON pg_catalog.pg_stat_activity FROM PUBLIC;
  FOR v_call IN
    SELECT p.oid::regprocedure FROM pg_proc p
    WHERE p.pronamespace = 'pg_catalog'::regnamespace AND (
      p.proname LIKE 'lo!_%' ESCAPE '!' OR p.proname IN ('loread', 'lowrite')
      OR p.proname LIKE 'pg!_%advisory%' ESCAPE '!'
      OR p.proname IN ('pg_logical_emit_message', 'pg_export_snapshot', 'pg_terminate_backend',
        'pg_cancel_backend', 'pg_stat_get_activity', 'pg_stat_get_backend_activity')
    )
  LOOP
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', v_call);
  END LOOP;

  -- What await_standbys() needs; it has another argument from PostgreSQL 17 on.
  FOR v_call IN
    SELECT p.oid::regprocedure FROM pg_proc p
    WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.proname = 'pg_logical_emit_message'
      AND p.proargtypes[2] = 'text'::regtype
  LOOP
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', v_call, omoide.role_of('owner'));
  END LOOP;

  -- Then each of the inbox's roles gets exactly its own.
  FOR v_role IN
    SELECT 'PUBLIC' UNION ALL SELECT quote_ident(r) FROM omoide.login_roles() r
  LOOP
    EXECUTE 'REVOKE ALL ON SCHEMA omoide FROM ' || v_role;
    EXECUTE 'REVOKE ALL ON ALL TABLES IN SCHEMA omoide FROM ' || v_role;
    EXECUTE 'REVOKE ALL ON ALL SEQUENCES IN SCHEMA omoide FROM ' || v_role;
    EXECUTE 'REVOKE ALL ON ALL FUNCTIONS IN SCHEMA omoide FROM ' || v_role;
    CONTINUE WHEN v_role = 'PUBLIC';
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM %s', current_database(), v_role);
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO %s', current_database(), v_role);
    EXECUTE 'GRANT USAGE ON SCHEMA omoide TO ' || v_role;
  END LOOP;

  FOR v_role IN SELECT quote_ident(s.role) FROM omoide.storage s LOOP
    EXECUTE format('GRANT %s TO %I', v_role, omoide.role_of('owner'));
    EXECUTE 'GRANT SELECT ON omoide.my_chunk, omoide.durability TO ' || v_role;
    EXECUTE 'GRANT EXECUTE ON FUNCTION
      omoide.take_storage(int, text, uuid, uuid, int), omoide.check_storage(int, text, uuid),
      omoide.take_lanes(int, bigint, uuid), omoide.lanes_due(int, int),
      omoide.pending(bigint, int, int, int[]), omoide.start_attempt(bigint[], bigint),
      omoide.cancel_attempt(bigint[], bigint),
      omoide.acknowledge(uuid, bigint[], bytea[], bigint[], text[], text[]), omoide.release(bigint[]),
      omoide.report_failure(bigint, text, boolean), omoide.distrust(text),
      omoide.heartbeat(bigint, text, timestamptz, text, text, bigint, bigint, bigint, bigint, bigint,
        bigint, text),
      omoide.sweep(int, int[]), omoide.recycle(boolean), omoide.locate(bigint[]),
      omoide.fall_asleep(int, int[]), omoide.stay_awake(int, int[]), omoide.evict() TO ' || v_role;
  END LOOP;

  -- A scrub reads its storage's receipts and reports. It can neither store nor acknowledge.
  FOR v_role IN SELECT quote_ident(omoide.scrub_role(s.role)) FROM omoide.storage s LOOP
    EXECUTE format('GRANT %s TO %I', v_role, omoide.role_of('owner'));
    EXECUTE 'GRANT EXECUTE ON FUNCTION
      omoide.take_scrub(int, text, uuid), omoide.scrub_state(),
      omoide.scrub_receipts(bigint, int), omoide.scrub_known(text[], uuid[], uuid[]),
      omoide.begin_look(text), omoide.advance_look(text, text, bigint, bigint),
      omoide.finish_look(text, bigint, bigint),
      omoide.report_findings(text, text[], text[], text[], bigint[]),
      omoide.open_findings(text, bigint, int), omoide.close_findings(bigint[]) TO ' || v_role;
  END LOOP;
END $$;

GRANT USAGE ON LANGUAGE plpgsql TO :owner;
GRANT EXECUTE ON FUNCTION
  pg_catalog.pg_try_advisory_lock(int, int), pg_catalog.pg_advisory_unlock(int, int),
  pg_catalog.pg_try_advisory_lock_shared(int, int), pg_catalog.pg_advisory_unlock_shared(int, int),
  pg_catalog.pg_advisory_xact_lock(int, int), pg_catalog.pg_try_advisory_xact_lock(int, int),
  pg_catalog.pg_try_advisory_xact_lock_shared(int, int) TO :owner;
-- What evict() needs: to see and end the sessions of these roles, and of no others. (Each storage's role
-- above.)
GRANT :app, :monitor TO :owner;
GRANT SELECT ON pg_catalog.pg_stat_activity TO :owner;
GRANT EXECUTE ON FUNCTION pg_catalog.pg_stat_get_activity(int),
  pg_catalog.pg_terminate_backend(int, bigint) TO :owner;
-- Those who monitor and manage the server keep what they had.
GRANT SELECT ON pg_catalog.pg_stat_activity TO pg_read_all_stats;
GRANT EXECUTE ON FUNCTION pg_catalog.pg_stat_get_activity(int),
  pg_catalog.pg_stat_get_backend_activity(int) TO pg_read_all_stats;
GRANT EXECUTE ON FUNCTION pg_catalog.pg_terminate_backend(int, bigint),
  pg_catalog.pg_cancel_backend(int) TO pg_signal_backend;

-- See there. No other function of the inbox is a superuser's.
DO $$ BEGIN
  EXECUTE format('ALTER FUNCTION omoide.reset_settings() OWNER TO %I', session_user);
END $$;
GRANT EXECUTE ON FUNCTION omoide.reset_settings() TO :owner;

GRANT EXECUTE ON FUNCTION
  omoide.open_media(uuid, uuid, text, text), omoide.append_chunk(bigint, int, bytea),
  omoide.seal_media(bigint, bigint, bytea), omoide.submit_media(uuid, uuid, text, text, bytea),
  omoide.find_media(uuid, uuid), omoide.same_media(uuid, uuid, text, text, bigint, bytea),
  omoide.open_upload(uuid, uuid, uuid, text, text, bigint),
  omoide.append_upload(uuid, uuid, bigint, bytea, bytea),
  omoide.finish_upload(uuid, uuid, bytea), omoide.find_upload(uuid, uuid),
  omoide.cancel_upload(uuid, uuid), omoide.upload_limits(),
  omoide.record_item(uuid, uuid, text, timestamptz), omoide.list_items(uuid, bigint, int),
  omoide.where_items(uuid, uuid[], text), omoide.owner_of_token(bytea),
  omoide.check_application(int) TO :app;

-- All that `inbox status` and `inbox parked` ask: no bytes, and nothing that acts.
GRANT SELECT ON omoide.owed, omoide.worker_status, omoide.inbox_status, omoide.generation_status,
  omoide.usage_today, omoide.settings, omoide.storage_status, omoide.copies, omoide.held,
  omoide.miscount, omoide.shared_paths,
  omoide.parked, omoide.durability, omoide.finding, omoide.look_status,
  omoide.history, omoide.lane_status
  TO :monitor;
-- A function that a view calls needs the right of whoever reads the view.
GRANT EXECUTE ON FUNCTION omoide.public_name(uuid, text, bytea, boolean),
  omoide.public_path(omoide.media_type, uuid, uuid, text, bytea, boolean, int), omoide.oldest_snapshot(),
  omoide.holdings(), omoide.role_of(text), omoide.storage_worker(smallint),
  omoide.commit_waits_since() TO :monitor;
