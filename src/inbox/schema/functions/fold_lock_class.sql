-- The first number of the advisory lock of whoever counts blocks again. It is "omof" in ASCII. Internal.
CREATE OR REPLACE FUNCTION omoide.fold_lock_class()
RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT 1869442918 $$;
