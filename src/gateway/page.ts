/**
 * The page's files, imported as text: the gateway carries them, and needs no permission to read.
 * No framework, no build step, no request to anybody else.
 */
import html from "./page/index.html" with { type: "text" };
import icon from "./page/icon.svg" with { type: "text" };
import manifest from "./page/manifest.webmanifest" with { type: "text" };
import style from "./page/style.css" with { type: "text" };
import sha256 from "./page/vendor/sha256.umd.min.js" with { type: "text" };
import api from "./page/api.js" with { type: "text" };
import app from "./page/app.js" with { type: "text" };
import awake from "./page/awake.js" with { type: "text" };
import archive from "./page/archive.js" with { type: "text" };
import checksum from "./page/checksum.js" with { type: "text" };
import keep from "./page/keep.js" with { type: "text" };
import picking from "./page/picking.js" with { type: "text" };
import previews from "./page/previews.js" with { type: "text" };
import queue from "./page/queue.js" with { type: "text" };
import row from "./page/row.js" with { type: "text" };
import row_list from "./page/row_list.js" with { type: "text" };
import upload from "./page/upload.js" with { type: "text" };
import words from "./page/words.js" with { type: "text" };
import { createHash } from "node:crypto";
import { problem } from "./problem.ts";

/** Nothing runs and nothing is loaded but what comes from here; `wasm-unsafe-eval` is the checksum's. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "style-src 'self'",
  "img-src 'self' blob:",
  "media-src 'self' blob:",
  "connect-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** One file of the page. */
class PageFile {
  readonly #etag: string;

  constructor(readonly text: string, readonly type: string) {
    this.#etag = `"${createHash("sha256").update(text).digest("base64url").slice(0, 22)}"`;
  }

  answer(request: Request): Response {
    if (request.method !== "GET" && request.method !== "HEAD") {
      throw problem(405, "method", "This cannot be done here", "The address takes GET.", {
        allow: "GET, HEAD",
      });
    }
    const headers = {
      "content-type": `${this.type}; charset=utf-8`,
      "content-security-policy": POLICY,
      "permissions-policy": "camera=(self), microphone=(), geolocation=()",
      "cross-origin-opener-policy": "same-origin",
      "cache-control": "no-cache",
      "etag": this.#etag,
    };
    if (request.headers.get("if-none-match") === this.#etag) {
      return new Response(null, { status: 304, headers });
    }
    return new Response(this.text, { headers });
  }
}

const SCRIPTS = {
  api,
  app,
  archive,
  awake,
  checksum,
  keep,
  picking,
  previews,
  queue,
  row,
  row_list,
  sha256,
  upload,
  words,
};

const FILES = new Map([
  ["/", new PageFile(html, "text/html")],
  ...Object.entries(SCRIPTS).map(([name, text]) =>
    [`/${name}.js`, new PageFile(text, "text/javascript")] as const
  ),
  ["/style.css", new PageFile(style, "text/css")],
  ["/icon.svg", new PageFile(icon, "image/svg+xml")],
  ["/manifest.webmanifest", new PageFile(manifest, "application/manifest+json")],
]);

/** @returns null if the path is none of the page's */
export function pageFile(pathname: string): PageFile | null {
  return FILES.get(pathname) ?? null;
}
