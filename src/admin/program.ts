import { Command } from "commander";
import { oneLine } from "../command_line.ts";
import type { ExitCode } from "../exit_codes.ts";
import { printError, printHelp, printLines } from "../terminal.ts";
import { addCommand } from "./add_command.ts";
import type { AdminCommand } from "./command.ts";
import { fleetStatus } from "./commands/fleet_status.ts";
import { inboxParked, inboxRetry } from "./commands/inbox_deliveries.ts";
import { inboxFindings } from "./commands/inbox_findings.ts";
import { inboxInit } from "./commands/inbox_init.ts";
import { inboxLimits } from "./commands/inbox_limits.ts";
import { inboxRecount } from "./commands/inbox_recount.ts";
import { inboxStatusCommand } from "./commands/inbox_status.ts";
import { inboxWatch } from "./commands/inbox_watch.ts";
import { ownerFreeze, ownerHandOver, ownerShow } from "./commands/owner.ts";
import { storageAdopt } from "./commands/storage_adopt.ts";
import { storageCompare } from "./commands/storage_compare.ts";
import { storageInit } from "./commands/storage_init.ts";
import { storageLanes } from "./commands/storage_lanes.ts";
import { storageList, storageRetire } from "./commands/storage_list.ts";
import { storageManifest } from "./commands/storage_manifest.ts";
import { storageMounts } from "./commands/storage_mounts.ts";
import { storageProve } from "./commands/storage_prove.ts";
import { storagePurge } from "./commands/storage_purge.ts";
import { storageRebuild } from "./commands/storage_rebuild.ts";
import { storageRepair } from "./commands/storage_repair.ts";
import { storageReplace } from "./commands/storage_replace.ts";
import { storageServe } from "./commands/storage_serve.ts";
import { storageSweep } from "./commands/storage_sweep.ts";
import { storageSync } from "./commands/storage_sync.ts";
import { storageTrust } from "./commands/storage_trust.ts";
import { storageVerify } from "./commands/storage_verify.ts";
import { tokenAdd, tokenList, tokenRevoke } from "./commands/token.ts";

interface Group {
  readonly name: string;
  readonly description: string;
  /** In the order in which `--help` lists them. */
  readonly commands: readonly AdminCommand[];
}

/** Every command that there is. */
export const GROUPS: readonly Group[] = [
  {
    name: "inbox",
    description: "Create, inspect and limit the inbox.",
    commands: [
      inboxInit,
      inboxStatusCommand,
      inboxWatch,
      inboxFindings,
      inboxParked,
      inboxRetry,
      inboxLimits,
      inboxRecount,
    ],
  },
  {
    name: "storage",
    description: "Create, inspect and repair storages.",
    commands: [
      storageInit,
      storageList,
      storageLanes,
      storageRetire,
      storageManifest,
      storageMounts,
      storageVerify,
      storageProve,
      storageCompare,
      storageSync,
      storageRepair,
      storageRebuild,
      storageReplace,
      storageAdopt,
      storageTrust,
      storageSweep,
      storagePurge,
      storageServe,
    ],
  },
  {
    name: "fleet",
    description: "Look at several inboxes at once.",
    commands: [fleetStatus],
  },
  {
    name: "owner",
    description: "Move an owner from one inbox to another.",
    commands: [ownerShow, ownerFreeze, ownerHandOver],
  },
  {
    name: "token",
    description: "Let owners use the gateway, or no longer.",
    commands: [tokenAdd, tokenList, tokenRevoke],
  },
];

/** All commands. @param onEnd is given the exit code of the one that runs */
export function buildProgram(onEnd: (code: ExitCode) => void): Command {
  const program = new Command("omoide-admin")
    .description("The administrator's tools of Omoide Worker.")
    .exitOverride()
    .configureOutput({
      writeOut: printLines,
      writeErr: printHelp,
      outputError: (text) => printError(`omoide-admin: ${oneLine(text)}; see --help`),
    });
  for (const { name, description, commands } of GROUPS) {
    const group = program.command(name).description(description);
    for (const command of commands) addCommand(group, command, onEnd);
  }
  return program;
}
