-- Has this transaction end only when the standbys that commits wait for have all that it has seen. Internal.
--
-- What only reads does not wait. But what it sees need not be anywhere else yet: a primary that crashes
-- while a commit waits shows it as committed after the restart, and so does one whose waiting session was
-- cancelled. "You have submitted that already" would then be a promise that the next failover breaks.
-- Waiting takes a transaction that has an id and has written something; this message is 60 bytes of WAL.
CREATE OR REPLACE FUNCTION omoide.await_standbys()
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM omoide.commit_durably();
  PERFORM pg_logical_emit_message(true, 'omoide', '');
END $$;
