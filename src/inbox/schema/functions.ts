/**
 * The functions as they are now, one per file, imported as text (see `migrations.ts`). By name: none of
 * them needs another to be there first, since `inbox init` applies them with `check_function_bodies` off,
 * as pg_dump does. A test validates every body, and asserts that each file is listed here.
 */
import acknowledge from "./functions/acknowledge.sql" with { type: "text" };
import advance_look from "./functions/advance_look.sql" with { type: "text" };
import all_file_bytes from "./functions/all_file_bytes.sql" with { type: "text" };
import append_chunk from "./functions/append_chunk.sql" with { type: "text" };
import append_upload from "./functions/append_upload.sql" with { type: "text" };
import await_standbys from "./functions/await_standbys.sql" with { type: "text" };
import begin_look from "./functions/begin_look.sql" with { type: "text" };
import blobs from "./functions/blobs.sql" with { type: "text" };
import cancel_attempt from "./functions/cancel_attempt.sql" with { type: "text" };
import cancel_upload from "./functions/cancel_upload.sql" with { type: "text" };
import charge from "./functions/charge.sql" with { type: "text" };
import charge_inbox from "./functions/charge_inbox.sql" with { type: "text" };
import check_application from "./functions/check_application.sql" with { type: "text" };
import check_block from "./functions/check_block.sql" with { type: "text" };
import check_description from "./functions/check_description.sql" with { type: "text" };
import check_pending from "./functions/check_pending.sql" with { type: "text" };
import check_room from "./functions/check_room.sql" with { type: "text" };
import check_storage from "./functions/check_storage.sql" with { type: "text" };
import close_findings from "./functions/close_findings.sql" with { type: "text" };
import commit_durably from "./functions/commit_durably.sql" with { type: "text" };
import commit_waits_since from "./functions/commit_waits_since.sql" with { type: "text" };
import count_blocks from "./functions/count_blocks.sql" with { type: "text" };
import distrust from "./functions/distrust.sql" with { type: "text" };
import empty_generation from "./functions/empty_generation.sql" with { type: "text" };
import end_look from "./functions/end_look.sql" with { type: "text" };
import evict from "./functions/evict.sql" with { type: "text" };
import expire_uploads from "./functions/expire_uploads.sql" with { type: "text" };
import fall_asleep from "./functions/fall_asleep.sql" with { type: "text" };
import file_bytes from "./functions/file_bytes.sql" with { type: "text" };
import find_media from "./functions/find_media.sql" with { type: "text" };
import find_upload from "./functions/find_upload.sql" with { type: "text" };
import finish_look from "./functions/finish_look.sql" with { type: "text" };
import finish_upload from "./functions/finish_upload.sql" with { type: "text" };
import fit_storage from "./functions/fit_storage.sql" with { type: "text" };
import fold_holdings from "./functions/fold_holdings.sql" with { type: "text" };
import fold_ledger from "./functions/fold_ledger.sql" with { type: "text" };
import fold_lock_class from "./functions/fold_lock_class.sql" with { type: "text" };
import fold_owed from "./functions/fold_owed.sql" with { type: "text" };
import give_lanes from "./functions/give_lanes.sql" with { type: "text" };
import has_little_left from "./functions/has_little_left.sql" with { type: "text" };
import heartbeat from "./functions/heartbeat.sql" with { type: "text" };
import holdings from "./functions/holdings.sql" with { type: "text" };
import insert_sealed from "./functions/insert_sealed.sql" with { type: "text" };
import is_waited_for from "./functions/is_waited_for.sql" with { type: "text" };
import keep_findings from "./functions/keep_findings.sql" with { type: "text" };
import keep_history from "./functions/keep_history.sql" with { type: "text" };
import lane_key from "./functions/lane_key.sql" with { type: "text" };
import lane_lock_class from "./functions/lane_lock_class.sql" with { type: "text" };
import lane_sessions from "./functions/lane_sessions.sql" with { type: "text" };
import lane_share from "./functions/lane_share.sql" with { type: "text" };
import lanes_due from "./functions/lanes_due.sql" with { type: "text" };
import list_items from "./functions/list_items.sql" with { type: "text" };
import locate from "./functions/locate.sql" with { type: "text" };
import lock_lanes from "./functions/lock_lanes.sql" with { type: "text" };
import login_roles from "./functions/login_roles.sql" with { type: "text" };
import marked_blocks from "./functions/marked_blocks.sql" with { type: "text" };
import measure from "./functions/measure.sql" with { type: "text" };
import missed_releases from "./functions/missed_releases.sql" with { type: "text" };
import move_chunks from "./functions/move_chunks.sql" with { type: "text" };
import move_stragglers from "./functions/move_stragglers.sql" with { type: "text" };
import name_holder from "./functions/name_holder.sql" with { type: "text" };
import note_deliveries from "./functions/note_deliveries.sql" with { type: "text" };
import note_media from "./functions/note_media.sql" with { type: "text" };
import note_receipts from "./functions/note_receipts.sql" with { type: "text" };
import oldest_snapshot from "./functions/oldest_snapshot.sql" with { type: "text" };
import open_findings from "./functions/open_findings.sql" with { type: "text" };
import open_media from "./functions/open_media.sql" with { type: "text" };
import open_upload from "./functions/open_upload.sql" with { type: "text" };
import owe from "./functions/owe.sql" with { type: "text" };
import owe_again from "./functions/owe_again.sql" with { type: "text" };
import own_storage from "./functions/own_storage.sql" with { type: "text" };
import own_upload from "./functions/own_upload.sql" with { type: "text" };
import owner_of_token from "./functions/owner_of_token.sql" with { type: "text" };
import pending from "./functions/pending.sql" with { type: "text" };
import public_name from "./functions/public_name.sql" with { type: "text" };
import public_path from "./functions/public_path.sql" with { type: "text" };
import record_item from "./functions/record_item.sql" with { type: "text" };
import recycle from "./functions/recycle.sql" with { type: "text" };
import refuse_distrusted from "./functions/refuse_distrusted.sql" with { type: "text" };
import refuse_other_identity from "./functions/refuse_other_identity.sql" with { type: "text" };
import refuse_other_version from "./functions/refuse_other_version.sql" with { type: "text" };
import refuse_unsealed from "./functions/refuse_unsealed.sql" with { type: "text" };
import release from "./functions/release.sql" with { type: "text" };
import renumber_lanes from "./functions/renumber_lanes.sql" with { type: "text" };
import repair_deliveries from "./functions/repair_deliveries.sql" with { type: "text" };
import report_failure from "./functions/report_failure.sql" with { type: "text" };
import report_findings from "./functions/report_findings.sql" with { type: "text" };
import reset_settings from "./functions/reset_settings.sql" with { type: "text" };
import role_of from "./functions/role_of.sql" with { type: "text" };
import same_media from "./functions/same_media.sql" with { type: "text" };
import scrub_known from "./functions/scrub_known.sql" with { type: "text" };
import scrub_lock_class from "./functions/scrub_lock_class.sql" with { type: "text" };
import scrub_receipts from "./functions/scrub_receipts.sql" with { type: "text" };
import scrub_role from "./functions/scrub_role.sql" with { type: "text" };
import scrub_state from "./functions/scrub_state.sql" with { type: "text" };
import scrub_storage from "./functions/scrub_storage.sql" with { type: "text" };
import seal_media from "./functions/seal_media.sql" with { type: "text" };
import share_lanes from "./functions/share_lanes.sql" with { type: "text" };
import silent_workers from "./functions/silent_workers.sql" with { type: "text" };
import sleep_lock_class from "./functions/sleep_lock_class.sql" with { type: "text" };
import start_attempt from "./functions/start_attempt.sql" with { type: "text" };
import stay_awake from "./functions/stay_awake.sql" with { type: "text" };
import storage_lock_class from "./functions/storage_lock_class.sql" with { type: "text" };
import storage_worker from "./functions/storage_worker.sql" with { type: "text" };
import submit_media from "./functions/submit_media.sql" with { type: "text" };
import sweep from "./functions/sweep.sql" with { type: "text" };
import take_lanes from "./functions/take_lanes.sql" with { type: "text" };
import take_scrub from "./functions/take_scrub.sql" with { type: "text" };
import take_storage from "./functions/take_storage.sql" with { type: "text" };
import tally_inbox from "./functions/tally_inbox.sql" with { type: "text" };
import unfit_to_seal from "./functions/unfit_to_seal.sql" with { type: "text" };
import upload_limits from "./functions/upload_limits.sql" with { type: "text" };
import wake_workers from "./functions/wake_workers.sql" with { type: "text" };
import where_items from "./functions/where_items.sql" with { type: "text" };

/** Each function's statement, by its name. */
export const FUNCTIONS: Readonly<Record<string, string>> = {
  acknowledge,
  advance_look,
  all_file_bytes,
  append_chunk,
  append_upload,
  await_standbys,
  begin_look,
  blobs,
  cancel_attempt,
  cancel_upload,
  charge,
  charge_inbox,
  check_application,
  check_block,
  check_description,
  check_pending,
  check_room,
  check_storage,
  close_findings,
  commit_durably,
  commit_waits_since,
  count_blocks,
  distrust,
  empty_generation,
  end_look,
  evict,
  expire_uploads,
  fall_asleep,
  file_bytes,
  find_media,
  find_upload,
  finish_look,
  finish_upload,
  fit_storage,
  fold_holdings,
  fold_ledger,
  fold_lock_class,
  fold_owed,
  give_lanes,
  has_little_left,
  heartbeat,
  holdings,
  insert_sealed,
  is_waited_for,
  keep_findings,
  keep_history,
  lane_key,
  lane_lock_class,
  lane_sessions,
  lane_share,
  lanes_due,
  list_items,
  locate,
  lock_lanes,
  login_roles,
  marked_blocks,
  measure,
  missed_releases,
  move_chunks,
  move_stragglers,
  name_holder,
  note_deliveries,
  note_media,
  note_receipts,
  oldest_snapshot,
  open_findings,
  open_media,
  open_upload,
  owe,
  owe_again,
  own_storage,
  own_upload,
  owner_of_token,
  pending,
  public_name,
  public_path,
  record_item,
  recycle,
  refuse_distrusted,
  refuse_other_identity,
  refuse_other_version,
  refuse_unsealed,
  release,
  renumber_lanes,
  repair_deliveries,
  report_failure,
  report_findings,
  reset_settings,
  role_of,
  same_media,
  scrub_known,
  scrub_lock_class,
  scrub_receipts,
  scrub_role,
  scrub_state,
  scrub_storage,
  seal_media,
  share_lanes,
  silent_workers,
  sleep_lock_class,
  start_attempt,
  stay_awake,
  storage_lock_class,
  storage_worker,
  submit_media,
  sweep,
  take_lanes,
  take_scrub,
  take_storage,
  tally_inbox,
  unfit_to_seal,
  upload_limits,
  wake_workers,
  where_items,
};
