/** What a world's storages have. */
import { Random } from "../../lab/random.ts";
import type { World } from "../../lab/world.ts";

export interface Stored {
  readonly id: bigint;
  readonly ownerUuid: string;
  /** Relative to the root, in each storage. */
  readonly path: string;
  readonly object: string;
}

/** Media of different owners, of 3,000 bytes and a few, stored in both storages; in the order of their ids. */
export async function store(world: World, count: number): Promise<Stored[]> {
  const random = new Random(7);
  for (let i = 0; i < count; i++) {
    const [ownerUuid, itemUuid] = [random.uuid(), random.uuid()];
    await world.submit(random.bytes(3000 + i), { ownerUuid, itemUuid });
  }
  await world.drainAll();
  return await stored(world);
}

export async function stored(world: World): Promise<Stored[]> {
  const rows = await world.query<{ id: string; owner: string; path: string; sha256: string }>(
    "SELECT media_id AS id, owner_uuid AS owner, path, encode(sha256, 'hex') AS sha256 " +
      "FROM omoide.receipt WHERE storage = 'hot' ORDER BY media_id",
  );
  return rows.map(({ id, owner, path, sha256 }) => ({
    ...{ id: BigInt(id), ownerUuid: owner, path },
    object: `.omoide/objects/${sha256.slice(0, 2)}/${sha256}-${id}`,
  }));
}
