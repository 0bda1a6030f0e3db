-- The first number of the advisory lock that whoever works on a storage has; the second is the storage's
-- id. Its workers share it (lane_lock_class() parts them), a tool that excludes them has it alone. It is "omoi"
-- in ASCII. Only functions of this schema can take advisory locks here (rights.sql), so
-- no other program can have a storage's. Internal.
CREATE OR REPLACE FUNCTION omoide.storage_lock_class()
RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT 1869442921 $$;
