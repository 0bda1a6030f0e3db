-- What all owners together have used of today's limits (the nil UUID), and each of the hundred that have
-- used most.
CREATE OR REPLACE VIEW omoide.usage_today AS
SELECT a.account AS owner_uuid, u.bytes, u.media
FROM (
  SELECT '00000000-0000-0000-0000-000000000000'::uuid AS account
  UNION
  (SELECT h.account FROM (
    SELECT l.account FROM omoide.ledger l
    WHERE l.day = (now() AT TIME ZONE 'UTC')::date AND l.day > '-infinity'
      AND l.account <> '00000000-0000-0000-0000-000000000000'
    ORDER BY l.weight DESC LIMIT 100
  ) h)
) a
CROSS JOIN LATERAL (
  SELECT sum(l.bytes)::bigint AS bytes, sum(l.media)::bigint AS media FROM omoide.ledger l
  WHERE l.day = (now() AT TIME ZONE 'UTC')::date AND l.account = a.account
) u
WHERE u.media IS NOT NULL;
