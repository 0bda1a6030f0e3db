-- The first number of the advisory lock of a storage's one scrub; the second is the storage's id. It is
-- "scru" in ASCII. Internal.
CREATE OR REPLACE FUNCTION omoide.scrub_lock_class()
RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT 1935897205 $$;
