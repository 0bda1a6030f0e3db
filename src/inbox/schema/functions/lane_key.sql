-- The second number of a lane's locks: its storage, how many lanes that has, and which one it is. The number
-- of lanes is in it, so that lanes of another number are seen to be others. Internal.
CREATE OR REPLACE FUNCTION omoide.lane_key(p_storage smallint, p_lanes int, p_lane int)
RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT p_storage * 65536 + p_lanes * 256 + p_lane $$;
