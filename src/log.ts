import { configure, getJsonLinesFormatter, getLogger, getTextFormatter } from "@logtape/logtape";
import type { Logger } from "@logtape/logtape";
import type { LogFormat, LogLevel } from "./command_line.ts";
import { printLog } from "./terminal.ts";

export type { Logger };

/**
 * Sets up the one sink: lines on standard error, which systemd carries into the journal. Text for people,
 * JSON for machines; the time is UTC in both.
 *
 * @param name which program of Omoide it is: a worker's storage, `gateway`, …
 */
export async function setUpLog(
  name: string,
  options: { readonly logFormat: LogFormat; readonly logLevel: LogLevel },
): Promise<Logger> {
  const format = options.logFormat === "json" ? getJsonLinesFormatter() : getTextFormatter({
    timestamp: "rfc3339",
    level: "FULL",
    category: (category) => category.slice(1).join(" "),
    // A message's values are plain words here; quoting each of them helps nobody.
    value: (value) => typeof value === "string" ? value : Deno.inspect(value),
  });
  await configure({
    sinks: { stderr: (record) => printLog(format(record), options.logFormat) },
    loggers: [
      { category: "omoide", sinks: ["stderr"], lowestLevel: options.logLevel },
      { category: ["logtape", "meta"], sinks: ["stderr"], lowestLevel: "warning" },
    ],
  });
  return getLogger(["omoide", name]);
}
