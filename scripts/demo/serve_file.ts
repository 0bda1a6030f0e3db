/** A stored file over HTTP, as NGINX serves it: for the demo on a machine without NGINX. */
import { extname } from "node:path";

const UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}";
const STORED_FILE = new RegExp(
  `^/(?:content|preview|thumbnail)/${UUID}/[0-9a-f-]{1,8}/${UUID}(?:~[0-9a-f]{64})?\\.[A-Za-z0-9]{1,16}$`,
);

/** Whether a worker can have given this name: nothing else in a storage has an address. */
export function isStoredFile(pathname: string): boolean {
  return STORED_FILE.test(pathname);
}

/** Whoever uploads chooses bytes and extension: only what is no page of this site has a type. */
const TYPES: Readonly<Record<string, string>> = {
  ".jpg": "image/jpeg",
  ".jpeg": "image/jpeg",
  ".png": "image/png",
  ".gif": "image/gif",
  ".webp": "image/webp",
  ".avif": "image/avif",
  ".heic": "image/heic",
  ".mp4": "video/mp4",
  ".webm": "video/webm",
  ".mov": "video/quicktime",
};

/**
 * @param root a storage's
 * @param pathname one of which `isStoredFile` is true
 * @param request a Range of one part, as `bytes=0-99`, is answered with that; others with the whole
 */
export async function serveFile(
  root: string,
  pathname: string,
  request: Request,
): Promise<Response> {
  const path = root + pathname;
  let file: Deno.FsFile;
  try {
    // A link in a storage may lead anywhere; no worker makes one.
    if (await Deno.realPath(path) !== path) return new Response(null, { status: 404 });
    file = await Deno.open(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return new Response(null, { status: 404 });
    throw error;
  }
  const { size } = await file.stat();
  if (request.method === "HEAD") {
    file.close();
    return new Response(null, { headers: { ...headersOf(path), "content-length": String(size) } });
  }
  const range = request.headers.get("range");
  const headers = headersOf(path);
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(range ?? "") ?? [];
  if (first === undefined) {
    return new Response(file.readable, { headers: { ...headers, "content-length": String(size) } });
  }
  const start = Number(first);
  const end = Math.min(last === undefined || last === "" ? size - 1 : Number(last), size - 1);
  if (start > end) {
    file.close();
    return new Response(null, { status: 416, headers: { "content-range": `bytes */${size}` } });
  }
  await file.seek(start, Deno.SeekMode.Start);
  let left = end - start + 1;
  const part = file.readable.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(piece, controller) {
        const wanted = piece.subarray(0, left);
        left -= wanted.length;
        if (wanted.length > 0) controller.enqueue(wanted);
        if (left === 0) controller.terminate();
      },
    }),
  );
  return new Response(part, {
    status: 206,
    headers: {
      ...headers,
      "content-length": String(end - start + 1),
      "content-range": `bytes ${start}-${end}/${size}`,
    },
  });
}

function headersOf(path: string): Record<string, string> {
  return {
    "content-type": TYPES[extname(path).toLowerCase()] ?? "application/octet-stream",
    "cache-control": "private, max-age=31536000, immutable",
    "x-content-type-options": "nosniff",
    "content-security-policy": "sandbox; default-src 'none'; media-src 'self'; img-src 'self'",
    "accept-ranges": "bytes",
  };
}
