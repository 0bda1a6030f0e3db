-- Ends transactions of the application that are older than settings.max_transaction_age: a held snapshot
-- keeps every dead blob on the disk (3.1 GB seen). Returns how many.
CREATE OR REPLACE FUNCTION omoide.evict()
RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN (
    SELECT count(*) FILTER (WHERE pg_terminate_backend(a.pid))
    FROM pg_stat_activity a, omoide.settings s
    WHERE a.usename = 'omoide_app' AND a.pid <> pg_backend_pid()
      AND a.xact_start < clock_timestamp() - s.max_transaction_age
  );
END $$;
