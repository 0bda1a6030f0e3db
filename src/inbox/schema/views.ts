/** The views as they are now, one per file. They may call functions; none is made of another view. */
import copies from "./views/copies.sql" with { type: "text" };
import durability from "./views/durability.sql" with { type: "text" };
import finding from "./views/finding.sql" with { type: "text" };
import generation_status from "./views/generation_status.sql" with { type: "text" };
import held from "./views/held.sql" with { type: "text" };
import history from "./views/history.sql" with { type: "text" };
import inbox_status from "./views/inbox_status.sql" with { type: "text" };
import lane_status from "./views/lane_status.sql" with { type: "text" };
import look_status from "./views/look_status.sql" with { type: "text" };
import my_chunk from "./views/my_chunk.sql" with { type: "text" };
import owed from "./views/owed.sql" with { type: "text" };
import parked from "./views/parked.sql" with { type: "text" };
import receipt from "./views/receipt.sql" with { type: "text" };
import releasable from "./views/releasable.sql" with { type: "text" };
import shared_paths from "./views/shared_paths.sql" with { type: "text" };
import storage_status from "./views/storage_status.sql" with { type: "text" };
import usage_today from "./views/usage_today.sql" with { type: "text" };
import worker_status from "./views/worker_status.sql" with { type: "text" };

/** Each view's statement, by its name. */
export const VIEWS: Readonly<Record<string, string>> = {
  copies,
  durability,
  finding,
  generation_status,
  held,
  history,
  inbox_status,
  lane_status,
  look_status,
  my_chunk,
  owed,
  parked,
  receipt,
  releasable,
  shared_paths,
  storage_status,
  usage_today,
  worker_status,
};
