import { openInbox } from "../../src/inbox/admin/inbox.ts";
import { setLanes } from "../../src/inbox/admin/lanes.ts";
import { until } from "./command.ts";
import { readTree } from "./tree.ts";
import type { World } from "./world.ts";

/** Sets the number of a storage's lanes, as `storage lanes` does. */
export async function setNumberOfLanes(world: World, storage: string, lanes: number) {
  await using inbox = await openInbox(world.server.url(world.database));
  await setLanes(inbox, storage, lanes);
}

/** How many lanes of the storage each live worker has, the most first. */
export async function shares(world: World, storage: string): Promise<number[]> {
  const rows = await world.query<{ held: number }>(
    `SELECT cardinality(l.held) AS held FROM omoide.storage s, omoide.lane_sessions(s.id) l
    WHERE s.name = $1 AND l.lanes = s.lanes ORDER BY 1 DESC`,
    [storage],
  );
  return rows.map(({ held }) => held);
}

/** Waits until the live workers of a storage share its lanes like this. */
export async function shared(world: World, storage: string, wanted: readonly number[]) {
  let found: number[] = [];
  await until(`${storage}'s lanes are shared ${wanted}`, async () => {
    found = await shares(world, storage);
    return found.join() === wanted.join();
  }).catch((error) => {
    throw new Error(`${error}; they are shared ${found}`);
  });
}

/** Objects of a storage. Each media that was stored once has one. */
export async function countObjects(root: string): Promise<number> {
  const names = [...(await readTree(root)).entries()];
  return names.filter(([path, { kind }]) => kind === "file" && path.startsWith(".omoide/objects/"))
    .length;
}
