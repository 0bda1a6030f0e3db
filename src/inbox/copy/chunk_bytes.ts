/**
 * Bytes of every chunk of a media but its last. Small enough that neither side needs much memory, large
 * enough that the cost of a row (26 bytes, a TOAST pointer) is nothing. The schema's checks say the same.
 */
export const CHUNK_BYTES = 256 * 1024;
