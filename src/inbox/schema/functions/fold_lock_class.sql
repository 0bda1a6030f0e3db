-- The first number of the advisory locks of whoever counts blocks again (0), or folds what is owed (1). It is
-- "omof" in ASCII. Internal.
CREATE OR REPLACE FUNCTION omoide.fold_lock_class()
RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT 1869442918 $$;
