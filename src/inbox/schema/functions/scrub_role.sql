-- The role of a storage's scrub, beside its worker's. Internal.
CREATE OR REPLACE FUNCTION omoide.scrub_role(p_worker name)
RETURNS name LANGUAGE sql IMMUTABLE AS $$ SELECT (p_worker || '_scrub')::name $$;
