import { Buffer } from "node:buffer";

/** The answer to what has been stored in the inbox: from here on it is safe from this program. */
export function stored(
  status: 200 | 201,
  mediaId: bigint,
  size: number,
  sha256: Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const digest = Buffer.from(sha256);
  return Response.json({ id: Number(mediaId), size, sha256: digest.toString("hex") }, {
    status,
    headers: { ...headers, "repr-digest": `sha-256=:${digest.toString("base64")}:` },
  });
}
