/** Requests to the gateway. What it refuses comes as an error that says what to do. */
import { withBytesShown } from "./words.js";

/** The gateway's answer to what cannot be, in its own words. */
export class Refused extends Error {
  constructor(status, title, detail, headers) {
    super(withBytesShown(detail === "" ? title : `${title}. ${detail}`));
    this.title = title;
    this.status = status;
    this.headers = headers;
  }

  /** Seconds after which to try again; null where trying again is no use. */
  get again() {
    if (this.status === 409) return 0;
    if (![408, 429, 500, 502, 503, 504, 507].includes(this.status)) return null;
    return Math.min(Number(this.headers("retry-after")) || 3, 60);
  }
}

/** The gateway cannot be reached. */
export class Unreachable extends Error {
  constructor() {
    super("No connection");
  }
}

/**
 * Sends one request. By XMLHttpRequest, the only one that tells how much of a body is on its way.
 *
 * @returns status, header(name), text
 */
export function send(method, path, { headers = {}, body = null, signal, onSent } = {}) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(method, path);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    if (onSent !== undefined) request.upload.onprogress = ({ loaded }) => onSent(loaded);
    const header = (name) => request.getResponseHeader(name);
    request.onload = () => {
      const { status, responseText: text } = request;
      if (status >= 200 && status < 300) resolve({ status, header, text });
      else reject(refusal(status, text, header));
    };
    request.onerror = () => reject(new Unreachable());
    request.ontimeout = () => reject(new Unreachable());
    request.onabort = () => reject(signal?.reason ?? new DOMException("aborted", "AbortError"));
    if (signal?.aborted) return reject(signal.reason);
    signal?.addEventListener("abort", () => request.abort(), { once: true });
    request.send(body);
  });
}

function refusal(status, text, header) {
  try {
    const { title, detail } = JSON.parse(text);
    return new Refused(status, String(title), String(detail ?? ""), header);
  } catch {
    // A proxy's own page.
    return new Refused(status, `The archive does not answer (${status})`, "", header);
  }
}

export async function getJson(path) {
  return JSON.parse((await send("GET", path)).text);
}
