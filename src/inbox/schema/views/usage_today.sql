-- What each owner has used of today's limits; the nil UUID stands for all owners together.
CREATE OR REPLACE VIEW omoide.usage_today AS
SELECT l.account AS owner_uuid, sum(l.bytes)::bigint AS bytes, sum(l.media)::bigint AS media
FROM omoide.ledger l
WHERE l.day = (now() AT TIME ZONE 'UTC')::date
GROUP BY l.account;
