-- The first number of the advisory lock that a worker has for each of its lanes while it sleeps; the second
-- is lane_key(). It is "omoz" in ASCII. Internal.
CREATE OR REPLACE FUNCTION omoide.sleep_lock_class()
RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT 1869442938 $$;
