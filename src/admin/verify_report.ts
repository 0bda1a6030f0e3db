import { UsageError } from "../errors.ts";
import { VERIFY_KINDS, type VerifyFinding, type VerifyKind } from "../storage/admin/findings.ts";
import { NamedFile } from "../storage/admin/named_file.ts";
import { couldBeReported } from "../storage/admin/reported_paths.ts";
import type { StorageIdentity } from "../storage/storage.ts";

/** What `storage verify --json` printed, before it is known which storage it will be held against. */
export interface Report {
  readonly file: string;
  readonly uuid: unknown;
  readonly findings: readonly unknown[];
}

/** Reads a report. @throws {UsageError} it is none */
export function readReport(path: string): Report {
  const file = NamedFile.toRead(path);
  const report = parse(file.text());
  file.close();
  if (
    typeof report !== "object" || report === null || !("findings" in report) ||
    !("uuid" in report) || !Array.isArray(report.findings)
  ) {
    throw new UsageError(`${path} is not what \`storage verify --json\` prints`);
  }
  return { file: path, uuid: report.uuid, findings: report.findings };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not JSON: no report.
    return null;
  }
}

/**
 * The findings of a report, each of which `verify` could have made of this storage.
 *
 * @throws {UsageError} it is another storage's, or something else is in it
 */
export function findingsOf(
  { file, uuid, findings }: Report,
  identity: StorageIdentity,
): VerifyFinding[] {
  if (uuid !== identity.uuid) {
    throw new UsageError(`${file} is of the storage ${uuid}, not of ${identity.uuid}`);
  }
  return findings.map((finding) => {
    if (isFinding(finding) && couldBeReported(finding, identity)) return finding;
    throw new UsageError(`${file} has a finding that is none: ${JSON.stringify(finding)}`);
  });
}

function isFinding(value: unknown): value is VerifyFinding {
  if (typeof value !== "object" || value === null) return false;
  if (!("kind" in value) || !("path" in value) || typeof value.path !== "string") return false;
  const named = !("publicPath" in value) || typeof value.publicPath === "string";
  return named && typeof value.kind === "string" && isKind(value.kind);
}

function isKind(kind: string): kind is VerifyKind {
  return Object.hasOwn(VERIFY_KINDS, kind);
}
