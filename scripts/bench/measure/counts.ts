import { type Load, shortened } from "../loads.ts";
import { readProcesses, treeOf } from "../processors.ts";
import type { Contender } from "../stage.ts";
import { Strace } from "../strace.ts";
import { type Carrier, submitAll } from "./carry.ts";

/**
 * What carrying a media costs in fsyncs and statements. Counted in a run of its own, under strace and with
 * a log of statements, which both slow it down.
 */
export function counted(carrier: Carrier, load: Load): Contender {
  return (stage) => {
    const statements = new StatementCount();
    return stage.withServer(async (server, directory) => {
      const wanted = stage.quick ? shortened(load) : load;
      await carrier.prepare(server, directory);
      const connection = await server.connect("bench");
      await submitAll(server, wanted, carrier.submit);
      await carrier.announce?.(connection);
      const processes = new Map([...readProcesses()].map((each) => [each.pid, each]));
      const database = treeOf(processes, server.process).map(({ pid }) => pid);
      const ofDatabase = await Strace.attach(database, `${directory}/database.strace`);
      // The carriers are started by this process, which itself syncs nothing.
      const ofCarriers = await Strace.attach([Deno.pid], `${directory}/carriers.strace`);
      const before = statements.count;
      await carrier.carry(server, directory, wanted.count);
      const after = statements.count;
      const figures = {
        statements_per_media: (after - before) / wanted.count,
        worker_fsyncs_per_media: await ofCarriers.count() / wanted.count,
        database_fsyncs_per_media: await ofDatabase.count() / wanted.count,
      };
      await connection.end();
      return figures;
    }, {
      settings: {
        log_statement: "all",
        log_line_prefix: "%a|",
        // The bytes of each media would be logged, or the checksums of 1,024.
        log_parameter_max_length: "0",
      },
      onLog: (piece) => statements.add(piece),
    });
  };
}

/** Statements in a server's log but the benchmark's own. */
class StatementCount {
  count = 0;
  #rest = "";

  add(piece: string): void {
    const lines = (this.#rest + piece).split("\n");
    this.#rest = lines.pop() ?? "";
    this.count +=
      lines.filter((line) =>
        /\|LOG: {2}(statement|execute)/.test(line) && !line.startsWith("omoide bench")
      ).length;
  }
}
