-- Keeps what people call an item: a file's name and when it was last modified, as the application received it.
-- Only the first word on an item counts, and only of an item that has an upload or a media, so that the
-- day's limits bound these rows too. Returns whether it was kept.
CREATE OR REPLACE FUNCTION omoide.record_item(
  p_owner uuid, p_item uuid, p_file_name text, p_last_modified timestamptz
)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF p_file_name IS NULL OR octet_length(p_file_name) NOT BETWEEN 1 AND 1024
    OR p_last_modified NOT BETWEEN '1800-01-01' AND '9999-01-01'
  THEN
    RAISE EXCEPTION USING ERRCODE = 'OM010',
      MESSAGE = 'a file''s name has 1 to 1024 bytes, and its date is between the years 1800 and 9999',
      HINT = 'Nothing was stored.';
  END IF;
  INSERT INTO omoide.item (owner_uuid, item_uuid, file_name, last_modified)
  SELECT p_owner, p_item, p_file_name, p_last_modified
  WHERE EXISTS (SELECT FROM omoide.upload u WHERE u.owner_uuid = p_owner AND u.item_uuid = p_item)
    OR EXISTS (
      SELECT FROM omoide.media m WHERE m.owner_uuid = p_owner AND m.item_uuid = p_item AND m.holds_name
    )
  ON CONFLICT DO NOTHING;
  RETURN FOUND;
END $$;
