-- The first number of the advisory lock that a worker has for each of its lanes; the second is lane_key().
-- It is "omol" in ASCII. Internal.
CREATE OR REPLACE FUNCTION omoide.lane_lock_class()
RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT 1869442924 $$;
