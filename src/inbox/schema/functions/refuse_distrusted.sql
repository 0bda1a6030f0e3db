-- The distrust of a disk, as an error. Internal.
CREATE OR REPLACE FUNCTION omoide.refuse_distrusted(p_storage omoide.storage)
RETURNS void LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF p_storage.distrusted_at IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'OM023',
      MESSAGE = format('the storage %s is distrusted since %s UTC: %s', p_storage.name,
        to_char(p_storage.distrusted_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI'),
        p_storage.distrusted_reason),
      HINT = format('Fix the disk, remount it, verify it, then run `storage trust %s`.',
        p_storage.name);
  END IF;
END $$;
