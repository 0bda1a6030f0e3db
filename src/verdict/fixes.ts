import type { FindingKind } from "../finding.ts";

/** Which command helps, for each kind of finding; what it does is in the README of `src/admin`. */
export const FIXES: Readonly<Record<FindingKind, string>> = {
  "missing": "`storage sync` from another storage gives each its name again",
  "corrupt": "`storage verify`, then `storage repair ROOT --from` another storage",
  "unreadable": "see dmesg, then `storage repair ROOT --from` another storage",
  "unexpected":
    "see who made it; where it took a media's place, `storage repair ROOT --from` another storage",
  "wrong size": "`storage repair ROOT --from` another storage",
  "receipt without file": "`storage sync` from another storage",
  "file without receipt": "`storage rebuild` makes its receipt",
};
