/**
 * Answers that say what is wrong and what to do about it: problem documents (RFC 9457).
 */
import { ConfigurationError, DatabaseUnavailableError } from "../errors.ts";
import { Problem, problem } from "../problem.ts";
import { type Refusal, RefusedError } from "../inbox/application/refusal.ts";

export { Problem, problem };

const IANA = "https://iana.org/assignments/http-problem-types#";

/** The offset is another one: the client goes on from `expected`. */
export function wrongOffset(expected: number, provided: number): Problem {
  return new Problem(
    409,
    `${IANA}mismatching-upload-offset`,
    "offset from request does not match offset of resource",
    `Go on from byte ${expected}.`,
    {
      headers: { "upload-offset": String(expected) },
      fields: { "expected-offset": expected, "provided-offset": provided },
    },
  );
}

export function uploadCompleted(offset: number): Problem {
  return new Problem(
    409,
    `${IANA}completed-upload`,
    "upload is already completed",
    "Nothing can be added to it: it is stored as it is.",
    { headers: { "upload-offset": String(offset), "upload-complete": "?1" } },
  );
}

export function inconsistentLength(detail: string): Problem {
  return new Problem(
    400,
    `${IANA}inconsistent-upload-length`,
    "inconsistent length values for upload",
    detail,
  );
}

const REFUSALS: Record<Refusal, (hint: string) => [number, string, string, string, number?]> = {
  "inbox full": () => [
    ...[507, "inbox-full", "The archive is full for the moment"] as const,
    "What has come in is kept. Try again later: there is room again once the storages have caught up.",
    30,
  ],
  "too large": (hint) => [413, "too-large", "The file is too large", hint],
  "owner's day": () => [
    ...[429, "owner-limit", "Your limit for today is used up"] as const,
    "Try again tomorrow (UTC), or ask the administrator to raise the limit.",
    secondsToMidnight(),
  ],
  "all owners' day": () => [
    ...[429, "daily-limit", "The limit for today is used up"] as const,
    "All owners together have used up today's limit. Try again tomorrow (UTC).",
    secondsToMidnight(),
  ],
  "too many uploads": () => [
    ...[429, "too-many-uploads", "Too many uploads are open"] as const,
    "Finish or cancel one first. One that stays unfinished for a day is removed.",
    60,
  ],
  "uploads full": () => [
    ...[507, "uploads-full", "Other uploads need all the room now"] as const,
    "What has come in is kept. Try again in a moment: there is room once another upload is finished.",
    10,
  ],
  "owner frozen": () => [
    ...[503, "owner-frozen", "This owner's files are moving"] as const,
    "Nothing is taken here until they have moved. Try again later.",
    60,
  ],
  "invalid": (hint) => [400, "invalid", "The request is not valid", hint],
  "not sealed": (hint) => [422, "refused", "The bytes do not fit what was announced", hint],
  "wrong offset": () => [
    ...[409, "two-writers", "Another request is writing to this upload"] as const,
    "Ask for its offset with HEAD, and go on from there.",
  ],
  "unknown upload": () => [
    ...[404, "unknown-upload", "There is no such upload"] as const,
    "It was never opened, has expired, or was cancelled. Begin it again.",
  ],
};

/** What an error is to the client; null for a bug, of which it learns nothing. */
export function problemOf(error: unknown): Problem | null {
  if (error instanceof Problem) return error;
  if (error instanceof RefusedError) {
    const [status, word, title, detail, seconds] = REFUSALS[error.reason](
      `${error.message.charAt(0).toUpperCase()}${error.message.slice(1)}. ${error.hint}`,
    );
    const headers: Record<string, string> = seconds === undefined
      ? {}
      : { "retry-after": String(seconds) };
    return problem(status, word, title, detail, headers);
  }
  if (error instanceof DatabaseUnavailableError) {
    return problem(
      ...[503, "unavailable", "The database cannot be reached"] as const,
      "What has come in is kept. Try again in a moment.",
      { "retry-after": "5" },
    );
  }
  // The log says what it is, with the fix. It may be another inbox than this gateway is written for.
  if (error instanceof ConfigurationError) {
    return problem(
      ...[503, "administrator", "The archive needs its administrator"] as const,
      "Nothing is taken until then. What has come in is kept, and goes on from there.",
      { "retry-after": "30" },
    );
  }
  return null;
}

function secondsToMidnight(): number {
  return 86_400 - Math.floor(Date.now() / 1000) % 86_400;
}
