-- Has this transaction end only when it is durable, here and at the synchronous standbys. Internal.
--
-- A role may have made something less its own default, and a later session would hear "committed" of an
-- upload that a crash (off), a failover (local) or the crash of a standby's machine (remote_write) takes
-- back. Raised only, never lowered: remote_apply stays.
CREATE OR REPLACE FUNCTION omoide.commit_durably()
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF current_setting('synchronous_commit') IN ('off', 'local', 'remote_write') THEN
    PERFORM set_config('synchronous_commit', 'on', true);
  END IF;
END $$;
