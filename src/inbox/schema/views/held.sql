-- What each storage has, by its receipts. One row per storage.
CREATE OR REPLACE VIEW omoide.held AS
SELECT s.name AS storage, coalesce(sum(h.media), 0)::bigint AS media,
  coalesce(sum(h.bytes), 0)::bigint AS bytes
FROM omoide.storage s LEFT JOIN omoide.holdings() h ON s.id = ANY (h.holders)
GROUP BY s.name;
