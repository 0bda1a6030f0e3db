import { join } from "node:path";
import type { World } from "../../lab/world.ts";
import type { BaseRuntime } from "../../support/denort.ts";
import { compileWorker } from "./compile.ts";
import type { Answer, Machine } from "./machine.ts";
import { CHECK_UNIT, INSTALL_SCRIPT, WORKER_UNIT } from "./unit_files.ts";

/** Where a storage's root is in the machine. */
export function rootInside(storage: string): string {
  return `/srv/omoide/${storage}`;
}

/** Where a storage's root is outside, for `Template.world`: the same directory. */
export function rootOutside(machine: Machine, storage: string): string {
  return join(machine.shared, storage);
}

/** Puts what an administrator copies to a machine into it. */
export async function copyDeployment(machine: Machine): Promise<void> {
  for (const unit of [WORKER_UNIT, CHECK_UNIT]) {
    await machine.install(unit, `/opt/deploy/systemd/${unit.split("/").at(-1)}`, 0o644);
  }
  await machine.install(INSTALL_SCRIPT, "/opt/deploy/install.sh");
}

/** Gives a storage's root its place, as a disk of its own. */
export async function mountRoot(machine: Machine, storage: string): Promise<void> {
  await machine.run("mkdir", "-p", rootInside(storage));
  await machine.run("mount", "--bind", rootOutside(machine, storage), rootInside(storage));
}

/** How the machine calls the database's address; `cold` uses it, so that names are tried too. */
export const DATABASE_NAME = "database.internal";

/** What a storage's worker is told to connect to. */
export function databaseHost(storage: string): string {
  return storage === "cold" ? DATABASE_NAME : "127.0.0.1";
}

/** Compiles a storage's worker for the machine. @returns where the binary is inside */
export async function compileInto(
  machine: Machine,
  runtime: BaseRuntime | null,
  world: World,
  storage: string,
): Promise<string> {
  const { database } = world.plan(storage);
  const binary = join(machine.shared, `omoide-worker-${storage}`);
  await compileWorker(runtime, [
    ...["--storage", storage, "--root", rootInside(storage)],
    ...["--database", `postgres://${databaseHost(storage)}:${database.port}/${database.name}`],
    ...["--password-file", `/run/credentials/omoide-worker@${storage}.service/password`],
  ], binary);
  return binary;
}

/** Runs install.sh in the machine. */
export async function install(
  machine: Machine,
  storage: string,
  ...options: string[]
): Promise<Answer> {
  return await machine.try("sh", "/opt/deploy/install.sh", storage, ...options);
}
