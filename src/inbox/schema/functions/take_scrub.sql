-- Takes the scrubbing of a storage for as long as the session lives, so that two scrubs never read the same
-- disk at once. Says what the scrub must know; a distrusted storage is scrubbed too.
CREATE OR REPLACE FUNCTION omoide.take_scrub(p_schema_version int, p_storage text, p_identity uuid)
RETURNS TABLE (prefix_size int, inbox uuid, cycle_seconds double precision)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_storage constant omoide.storage := omoide.scrub_storage();
BEGIN
  IF v_storage.name IS DISTINCT FROM p_storage THEN
    RAISE EXCEPTION USING ERRCODE = 'OM020',
      MESSAGE = format('the role %s scrubs the storage %s, not %s', session_user, v_storage.name,
        coalesce(quote_literal(p_storage), 'none')),
      HINT = format('Log in as %s, or start the scrub with --storage %s.',
        omoide.scrub_role(omoide.role_of(p_storage)), v_storage.name);
  END IF;
  PERFORM omoide.refuse_other_version(p_schema_version, 'scrub');
  PERFORM omoide.refuse_other_identity(v_storage, p_identity);
  IF NOT pg_try_advisory_lock(omoide.scrub_lock_class(), v_storage.id) THEN
    RAISE EXCEPTION USING ERRCODE = 'OM022',
      MESSAGE = format('another scrub looks at the storage %s', v_storage.name),
      HINT = 'It can be taken when that one ends; within 30 s if its machine died.';
  END IF;
  INSERT INTO omoide.look (storage_id, depth)
  VALUES (v_storage.id, 'shallow'), (v_storage.id, 'deep') ON CONFLICT DO NOTHING;
  RETURN QUERY SELECT v_storage.prefix_size, s.inbox,
    extract(epoch FROM s.scrub_cycle)::double precision FROM omoide.settings s;
END $$;
