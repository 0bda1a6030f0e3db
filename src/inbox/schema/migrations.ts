/**
 * The schema's files, in order. Imported as text and not read from the disk, so that a compiled program
 * carries them and needs no permission to read. (Deno 2.7 wants --unstable-raw-imports for it; the worker
 * imports none of this.)
 */
import tables from "./0001_tables.sql" with { type: "text" };
import limits from "./0002_limits.sql" with { type: "text" };
import application from "./0003_application.sql" with { type: "text" };
import storages from "./0004_storages.sql" with { type: "text" };
import deliveries from "./0005_deliveries.sql" with { type: "text" };
import release from "./0006_release.sql" with { type: "text" };
import views from "./0007_views.sql" with { type: "text" };
import unbegin from "./0008_unbegin.sql" with { type: "text" };
import rights from "./rights.sql" with { type: "text" };

/** One step of the schema. Immutable once released: a change is a new file with the next number. */
export interface Migration {
  readonly version: number;
  readonly name: string;
  readonly sql: string;
}

export const MIGRATIONS: readonly Migration[] = [
  { version: 1, name: "tables", sql: tables },
  { version: 2, name: "limits", sql: limits },
  { version: 3, name: "application", sql: application },
  { version: 4, name: "storages", sql: storages },
  { version: 5, name: "deliveries", sql: deliveries },
  { version: 6, name: "release", sql: release },
  { version: 7, name: "views", sql: views },
  { version: 8, name: "unbegin", sql: unbegin },
];

/** Who may do what; run after every migration and every registration of a storage. */
export const RIGHTS = rights;
