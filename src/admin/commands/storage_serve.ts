import { EXIT } from "../../exit_codes.ts";
import { messageOf, ReaderGoneError } from "../../errors.ts";
import { formatIdentity } from "../../storage/identity.ts";
import type { Pieces } from "../../storage/admin/read_object.ts";
import { LocalSource } from "../../storage/admin/source.ts";
import { writeBytes } from "../../terminal.ts";
import { treeCommand } from "../command.ts";
import { encodeHeader, type Kind } from "../source/frames.ts";
import type { EntriesAnswer, Request } from "../source/source_process.ts";

const BATCH = 1000;

export const storageServe = treeCommand({
  usage: "serve <root>",
  summary: "read a storage for another process of this program",
  description:
    "Started by `sync`, `repair` and `compare` as root, when the two storages belong to different " +
    "users: reads one of them as its owner. Requests come by standard input.",
  hidden: true,
  options: [],
  examples: [],
  need: "look",
  tree: ([root = ""]) => root,
  run: async (_args, _options, { openRoot }) => {
    const { path, identity } = openRoot();
    const source = new LocalSource(path, identity);
    // What is asked and answered goes through pipes: Ctrl-C is for the process that asks.
    Deno.addSignalListener("SIGINT", () => {});
    try {
      send("value", encode(formatIdentity(identity)));
      for await (const line of lines(Deno.stdin.readable)) {
        await answer(JSON.parse(line), source);
      }
    } catch (error) {
      // Whoever asked has gone.
      if (!(error instanceof ReaderGoneError)) throw error;
    }
    return EXIT.OK;
  },
});

async function answer(request: Request, source: LocalSource): Promise<void> {
  try {
    if (request.ask === "entries") await sendEntries(source);
    else if (request.ask === "read") await sendPieces(source.read(request.path));
    else await sendPieces(source.readGood(request.sha256, request.publicPath));
  } catch (error) {
    if (error instanceof ReaderGoneError) throw error;
    send("error", encode(messageOf(error)));
    return;
  }
  send("end");
}

async function sendPieces(pieces: Pieces): Promise<void> {
  for await (const piece of pieces) send("bytes", piece);
}

async function sendEntries(
  source: LocalSource,
): Promise<void> {
  let entries: EntriesAnswer["entries"][number][] = [];
  let strange: EntriesAnswer["strange"][number][] = [];
  const flush = () => {
    send("value", encode(JSON.stringify({ entries, strange })));
    [entries, strange] = [[], []];
  };
  const options = {
    signal: new AbortController().signal,
    strange: (path: string, why: string) => strange.push([path, why]),
  };
  for await (const { path, object, size, writtenAt } of source.entries(options)) {
    entries.push([path, object ?? "", size, writtenAt]);
    if (entries.length >= BATCH) flush();
  }
  flush();
}

async function* lines(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const found = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = found.pop() ?? "";
    yield* found;
  }
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function send(kind: Kind, payload: Uint8Array = new Uint8Array(0)): void {
  writeBytes(encodeHeader(kind, payload.length));
  writeBytes(payload);
}
