-- All committed bytes of a generation that must be kept, and what they belong to: media, and pending uploads that
-- have a chunk. Internal. Emptying goes by this alone; move_stragglers() moves them, and the view
-- generation_status counts them. A size can be wrong (a bad restore): none counts more than one media may have.
CREATE OR REPLACE FUNCTION omoide.blobs(p_generation int)
RETURNS TABLE (id bigint, size bigint) LANGUAGE sql STABLE AS $$
  SELECT w.media_id, least(greatest(w.size, 0), 1099511627776) FROM omoide.waiting w
  WHERE w.generation = p_generation
  UNION ALL
  SELECT u.id, u.chunks * 262144::bigint FROM omoide.upload u
  WHERE u.generation = p_generation AND u.media_id IS NULL AND u.chunks > 0
$$;
