import { run, runScript, secondsOf } from "../command.ts";
import type { Figures } from "../figures.ts";
import { STORAGES } from "../inbox.ts";
import { bytesOf, type Load, mediaOf, RandomBytes, shortened } from "../loads.ts";
import { omoideWorkers } from "../measure/workers.ts";
import { othersCores, submitAll } from "../measure/carry.ts";
import { between, readProcessors, totalOf } from "../processors.ts";
import type { Contender } from "../stage.ts";

/** Figures of `work`, which does with a load what two workers do. */
async function figuresOf(load: Load, work: () => Promise<unknown>): Promise<Figures> {
  const before = readProcessors();
  const seconds = await secondsOf(work);
  const used = between(before, readProcessors());
  const bytes = bytesOf(load);
  return {
    media_per_s: load.count / seconds,
    mb_per_s: bytes / 1e6 / seconds,
    worker_s_per_gb: totalOf(used.carriers) / bytes * 1e9,
    worker_user_s_per_gb: used.carriers.user / bytes * 1e9,
    worker_system_s_per_gb: used.carriers.system / bytes * 1e9,
    kernel_s_per_gb: used.kernelThreads / bytes * 1e9,
    others_cores: othersCores({ ...used, seconds, wal: 0 }),
  };
}

/** The same files created, fdatasynced and linked by two processes, without a database. */
export function filesAlone(load: Load): Contender {
  return ({ ground, quick }) =>
    ground.inFreshDirectory((directory) => {
      const wanted = quick ? shortened(load) : load;
      return figuresOf(wanted, () =>
        Promise.all(STORAGES.map((name) =>
          runScript("./floors/files.ts", `${directory}/${name}`, JSON.stringify(wanted))
        )));
    });
}

/** Plain tools that copy files which are in memory, twice. */
function copies(load: Load, copy: (from: string, to: string) => Promise<unknown>): Contender {
  return ({ ground, quick }) =>
    ground.inFreshDirectory(async (directory) => {
      const wanted = quick ? shortened(load) : load;
      const from = `${directory}/from`;
      await Deno.mkdir(from);
      const random = new RandomBytes();
      for (const { itemUuid, mediaType, size } of mediaOf(wanted)) {
        await Deno.writeFile(`${from}/${itemUuid}-${mediaType}`, random.take(size));
      }
      await run("sync");
      return await figuresOf(wanted, async () => {
        await Promise.all(STORAGES.map((name) => copy(from, `${directory}/${name}`)));
        await run("sync");
      });
    });
}

/** `cp -r` twice at once, `sync`. */
export function copiedTwice(load: Load): Contender {
  return copies(load, (from, to) => run("cp", "-r", from, to));
}

/** And each copy checked, as a worker checks what it stores. */
export function copiedAndChecked(load: Load): Contender {
  return copies(load, async (from, to) => {
    await run("cp", "-r", from, to);
    await run("sh", "-c", 'cd "$1" && sha256sum *', "sh", to);
  });
}

/** The same rows read twice at once by COPY, into nothing: what the database itself can give. */
export function copyIntoNothing(load: Load): Contender {
  return (stage) =>
    stage.withServer(async (server, directory) => {
      const wanted = stage.quick ? shortened(load) : load;
      await omoideWorkers.prepare(server, directory);
      await submitAll(server, wanted, omoideWorkers.submit);
      await run("sync");
      const sessions = await Promise.all(STORAGES.map(() => server.connect("bench")));
      const figures = await figuresOf(wanted, () =>
        Promise.all(sessions.map((session) =>
          session.query(
            "COPY (SELECT media_id, seq, bytes FROM omoide.media_chunk ORDER BY media_id, seq) " +
              "TO PROGRAM 'cat > /dev/null' (FORMAT binary)",
          )
        )));
      for (const session of sessions) {
        await session.end();
      }
      return { media_per_s: figures.media_per_s ?? 0, mb_per_s: figures.mb_per_s ?? 0 };
    });
}
