import type { Finding } from "../finding.ts";

/** Findings as `report_findings` and `keep_findings` take them: their kinds, paths, details and media, in arrays. */
export function findingColumns(findings: readonly Finding[]): unknown[] {
  return [
    findings.map(({ kind }) => kind),
    findings.map(({ path }) => storable(path)),
    findings.map(({ detail }) => storable(detail)),
    findings.map(({ mediaId }) => mediaId),
  ];
}

/** A path of a tree may have what no text of the database can: a zero byte, half of a surrogate pair. */
function storable(text: string): string {
  return text.toWellFormed().replaceAll("\0", "\u{fffd}");
}
