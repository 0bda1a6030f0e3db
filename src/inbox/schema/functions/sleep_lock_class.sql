-- The first number of the advisory lock that a worker has while it sleeps; the second is its storage's id.
-- It is "omoz" in ASCII. Internal.
CREATE OR REPLACE FUNCTION omoide.sleep_lock_class()
RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT 1869442938 $$;
