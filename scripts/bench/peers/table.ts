/** The table that others would make: a row per media with its bytes in it, and a mark per storage. */
import { initRoot } from "../../../src/storage/admin/init_root.ts";
import { runScript } from "../command.ts";
import { STORAGES } from "../inbox.ts";
import type { Carrier } from "../measure/carry.ts";

const CREATE = `
  CREATE TABLE public.peer_media (
    id bigserial PRIMARY KEY, owner_uuid uuid NOT NULL, item_uuid uuid NOT NULL,
    media_type text NOT NULL, ext text NOT NULL, sha256 bytea NOT NULL, content bytea NOT NULL,
    hot boolean NOT NULL DEFAULT false, cold boolean NOT NULL DEFAULT false
  );
  ALTER TABLE public.peer_media ALTER content SET STORAGE EXTERNAL`;

/** A carrier from that table, with a process of `script` for each storage. */
export function peer(script: string, also: Partial<Carrier> = {}): Carrier {
  return {
    async prepare(server, directory) {
      const connection = await server.connect("bench");
      await connection.query(CREATE);
      await connection.end();
      const inbox = crypto.randomUUID();
      for (const storage of STORAGES) {
        const uuid = crypto.randomUUID();
        initRoot(`${directory}/${storage}`, { format: 1, storage, uuid, inbox, prefixSize: 2 });
      }
      await also.prepare?.(server, directory);
    },

    async submit(connection, { ownerUuid, itemUuid, mediaType, ext }, bytes) {
      await connection.query(
        "INSERT INTO public.peer_media (owner_uuid, item_uuid, media_type, ext, sha256, content) " +
          "VALUES ($1, $2, $3, $4, sha256($5), $5)",
        [ownerUuid, itemUuid, mediaType, ext, bytes],
      );
    },

    ...(also.announce === undefined ? {} : { announce: also.announce }),

    async carry(server, directory) {
      const began = performance.now();
      const outputs = await Promise.all(
        STORAGES.map((name) => runScript(script, server.url(), name, `${directory}/${name}`)),
      );
      const seconds = (performance.now() - began) / 1000;
      const connection = await server.connect("bench");
      const { rowCount } = await connection.query("SELECT FROM public.peer_media LIMIT 1");
      await connection.end();
      if (rowCount !== 0) throw new Error(`${script} has left media in its table`);
      return { seconds, peakMemory: Math.max(...outputs.map(Number)) };
    },
  };
}
