import { Command } from "commander";
import { EXIT } from "../exit_codes.ts";
import { printError, printHelp, printLines } from "../terminal.ts";
import type { Outcome } from "./command.ts";
import { addInboxParked, addInboxRetry } from "./commands/inbox_deliveries.ts";
import { addInboxInit } from "./commands/inbox_init.ts";
import { addInboxLimits } from "./commands/inbox_limits.ts";
import { addInboxStatus } from "./commands/inbox_status.ts";
import { addStorageInit } from "./commands/storage_init.ts";
import { addStorageList, addStorageRetire } from "./commands/storage_list.ts";
import { addStorageCompare } from "./commands/storage_compare.ts";
import { addStorageManifest } from "./commands/storage_manifest.ts";
import { addStorageAdopt } from "./commands/storage_adopt.ts";
import { addStoragePurge } from "./commands/storage_purge.ts";
import { addStorageRebuild } from "./commands/storage_rebuild.ts";
import { addStorageRepair } from "./commands/storage_repair.ts";
import { addStorageReplace } from "./commands/storage_replace.ts";
import { addStorageSweep } from "./commands/storage_sweep.ts";
import { addStorageSync } from "./commands/storage_sync.ts";
import { addStorageTrust } from "./commands/storage_trust.ts";
import { addStorageVerify } from "./commands/storage_verify.ts";

/** All commands, and where the exit code of the one that runs will be. */
export function buildProgram(): { readonly program: Command; readonly outcome: Outcome } {
  const outcome: Outcome = { code: EXIT.OK };
  const program = new Command("omoide-admin")
    .description("The administrator's tools of Omoide Worker.")
    .exitOverride()
    .configureOutput({
      writeOut: printLines,
      writeErr: printHelp,
      outputError: (text) =>
        printError(`omoide-admin: ${text.replace(/^error: /, "").trimEnd()}; see --help`),
    });

  const inbox = program.command("inbox").description("Create, inspect and limit the inbox.");
  addInboxInit(inbox, outcome);
  addInboxStatus(inbox, outcome);
  addInboxParked(inbox, outcome);
  addInboxRetry(inbox, outcome);
  addInboxLimits(inbox, outcome);

  const storage = program.command("storage").description("Create, inspect and repair storages.");
  addStorageInit(storage, outcome);
  addStorageList(storage, outcome);
  addStorageRetire(storage, outcome);
  addStorageManifest(storage, outcome);
  addStorageVerify(storage, outcome);
  addStorageCompare(storage, outcome);
  addStorageSync(storage, outcome);
  addStorageRepair(storage, outcome);
  addStorageRebuild(storage, outcome);
  addStorageReplace(storage, outcome);
  addStorageAdopt(storage, outcome);
  addStorageTrust(storage, outcome);
  addStorageSweep(storage, outcome);
  addStoragePurge(storage, outcome);
  return { program, outcome };
}
