import { ConfigurationError, messageOf, UsageError } from "../errors.ts";
import { type Finding, FINDING_KINDS, type FindingKind } from "../storage/admin/findings.ts";

/** Reads what `storage verify --json` printed. @throws {UsageError} another storage's, or no report */
export function readReport(file: string, uuid: string): Finding[] {
  let report: unknown;
  try {
    report = JSON.parse(Deno.readTextFileSync(file));
  } catch (error) {
    throw new ConfigurationError(
      `Cannot read ${file}: ${messageOf(error)}`,
    );
  }
  if (
    typeof report !== "object" || report === null || !("findings" in report) ||
    !("uuid" in report) || !Array.isArray(report.findings)
  ) {
    throw new UsageError(`${file} is not what \`storage verify --json\` prints`);
  }
  if (report.uuid !== uuid) {
    throw new UsageError(`${file} is of the storage ${report.uuid}, not of ${uuid}`);
  }
  return report.findings.map((finding: unknown) => {
    if (isFinding(finding)) return finding;
    throw new UsageError(`${file} has a finding that is none: ${JSON.stringify(finding)}`);
  });
}

function isFinding(value: unknown): value is Finding {
  if (typeof value !== "object" || value === null) return false;
  if (!("kind" in value) || !("path" in value) || typeof value.path !== "string") return false;
  const inside = !value.path.startsWith("/") && !value.path.split("/").includes("..");
  const named = !("publicPath" in value) || typeof value.publicPath === "string";
  return inside && named && typeof value.kind === "string" && isKind(value.kind);
}

function isKind(kind: string): kind is FindingKind {
  return kind in FINDING_KINDS;
}
