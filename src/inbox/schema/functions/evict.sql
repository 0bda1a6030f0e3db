-- Ends transactions of the inbox's roles that are older than settings.max_transaction_age: one that is held
-- keeps the generations that it has used from being emptied, and the queues' dead rows. Returns how many.
--
-- All of its roles, since any can switch its own timeouts off. A snapshot cannot be handed on to a younger
-- transaction: none of them may export one (rights.sql), so its transaction's age is the snapshot's.
--
-- A listener that stays in a transaction keeps all notifications on the disk too, 130 MB/s of them seen, and
-- with their queue full no commit that notifies succeeds. From 2 % (160 MB) on, a transaction gets 5 s.
CREATE OR REPLACE FUNCTION omoide.evict()
RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  v_age interval;
BEGIN
  SELECT CASE WHEN pg_notification_queue_usage() < 0.02 THEN s.max_transaction_age
    ELSE least(s.max_transaction_age, interval '5 seconds') END
  INTO STRICT v_age FROM omoide.settings s;
  RETURN (
    SELECT count(*) FILTER (WHERE pg_terminate_backend(a.pid))
    FROM pg_stat_activity a
    WHERE a.pid <> pg_backend_pid() AND a.xact_start < clock_timestamp() - v_age
      AND a.usename IN (SELECT omoide.login_roles())
  );
END $$;
