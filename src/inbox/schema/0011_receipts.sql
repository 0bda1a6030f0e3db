-- What takes other arguments, or gives other columns, than before: functions/ has both.
DROP FUNCTION IF EXISTS
  omoide.acknowledge(bigint[], bytea[], bigint[], text[], text[]),
  omoide.find_media(uuid, uuid);
