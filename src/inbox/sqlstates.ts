/**
 * The SQLSTATEs that the inbox raises by itself, so that a program decides on a code and not on words.
 * The README's table says the same; a test compares both with what the SQL raises.
 */
export const SQLSTATE = {
  /** The inbox holds all it may, or its files are as large as they may get. Try again later. */
  INBOX_FULL: "OM001",
  /** This media is larger than one media may be. */
  MEDIA_TOO_LARGE: "OM002",
  /** This owner has had its bytes or its number of media for today (UTC). */
  OWNER_LIMIT: "OM003",
  /** All owners together have had their bytes or their number of media for today (UTC). */
  DAILY_LIMIT: "OM004",
  /** This owner, or all owners together, have as many pending uploads as they may. Finish or cancel one. */
  TOO_MANY_UPLOADS: "OM005",
  /** The pending uploads that are coming in need all the room there is for them. Try again later. */
  UPLOADS_FULL: "OM006",
  /** This owner is frozen: its files move to another inbox. */
  OWNER_FROZEN: "OM007",
  /** Owner, item, media_type or ext is not what it must be. */
  INVALID_MEDIA: "OM010",
  /** Not sealed: chunk missing, doubled or of the wrong size, wrong checksum, sealed already, unknown. */
  SEAL_REFUSED: "OM011",
  /** The transaction would have committed a media that it opened and never sealed. */
  UNSEALED: "OM012",
  /** These bytes do not follow those that the upload has. Ask find_upload where to go on. */
  WRONG_OFFSET: "OM013",
  /** This owner has no such upload: never opened, expired, or cancelled. Open another one. */
  UNKNOWN_UPLOAD: "OM014",
  /** The session's role belongs to no storage of this inbox, or to another than the one named. */
  UNKNOWN_STORAGE: "OM020",
  /** The storage's root has another identity than the one registered. */
  OTHER_IDENTITY: "OM021",
  /** Another worker holds the storage. */
  STORAGE_HELD: "OM022",
  /** A disk failed; nothing is accepted until `storage trust`. */
  STORAGE_DISTRUSTED: "OM023",
  /** The storage is retired. */
  STORAGE_RETIRED: "OM024",
  /** Program and schema are of different versions. */
  SCHEMA_VERSION: "OM025",
} as const;
