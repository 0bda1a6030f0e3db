import { Buffer } from "node:buffer";

/** What `deno compile` wrote into a binary, as the runtime will read it. */
export interface Artifact {
  /** The arguments that stand in front of whatever the binary is given. */
  readonly args: readonly string[];
  /**
   * The permission flags, such as `--allow-read=/srv/hot`, and the hosts whose certificates are not checked;
   * sorted. One without a value grants all.
   */
  readonly permissions: readonly string[];
  /** Flags of V8 beside those that every binary has. */
  readonly v8Flags: readonly string[];
  /** Every other setting that is not neutral, by its name. Each could widen what the program may do. */
  readonly extras: readonly string[];
  /** The processor it runs on, as `uname -m` calls it. */
  readonly machine: string;
}

/** Precedes the metadata's length (64 bits, little endian) and its JSON, in Deno 2.7 and 2.9 alike. */
const MAGIC = Buffer.from("d3n0l4nd");

/**
 * Reads a compiled binary's permissions back. The form is not documented: anything unexpected, such as
 * a field that a newer Deno added, is refused or named in `extras`, never passed over.
 *
 * @throws {Error} where it is not exactly one compiled program
 */
export function readArtifact(bytes: Uint8Array): Artifact {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found = [...findMetadata(buffer)];
  const [metadata] = found;
  if (metadata === undefined || found.length > 1) {
    throw new Error(`Cannot read the binary: it holds ${found.length} programs of deno compile`);
  }
  const { argv, permissions, v8_flags, unsafely_ignore_certificate_errors, ...rest } = metadata;
  const flags = Object.entries({ ...permissions, unsafely_ignore_certificate_errors });
  return {
    args: argv,
    permissions: flags.flatMap(([name, value]) => flag(name, value)).sort(),
    v8Flags: v8_flags.filter((flag) => !USUAL_V8_FLAGS.includes(flag)),
    extras: Object.entries(rest).filter(([name, value]) => !isNeutral(name, value))
      .map(([name]) => name),
    machine: machineOf(buffer),
  };
}

interface Metadata {
  readonly argv: string[];
  readonly permissions: Record<string, unknown>;
  readonly v8_flags: string[];
  readonly [name: string]: unknown;
}

function* findMetadata(buffer: Buffer): Generator<Metadata> {
  const lengthSize = 8;
  for (let at = buffer.indexOf(MAGIC); at >= 0; at = buffer.indexOf(MAGIC, at + 1)) {
    const start = at + MAGIC.length + lengthSize;
    if (start >= buffer.length || buffer[start] !== "{".charCodeAt(0)) continue;
    const length = Number(buffer.readBigUInt64LE(at + MAGIC.length));
    if (length > buffer.length - start) continue;
    const parsed: unknown = JSON.parse(buffer.toString("utf8", start, start + length));
    if (isMetadata(parsed)) yield parsed;
  }
}

function isMetadata(value: unknown): value is Metadata {
  return typeof value === "object" && value !== null && "argv" in value &&
    Array.isArray(value.argv) && "permissions" in value &&
    typeof value.permissions === "object" && value.permissions !== null &&
    "v8_flags" in value && Array.isArray(value.v8_flags);
}

function flag(name: string, value: unknown): string[] {
  if (name === "prompt") return value === false ? ["--no-prompt"] : [];
  if (value === null) return [];
  const dashed = `--${name.replaceAll("_", "-")}`;
  // `--no-remote` leaves the empty list, and no loader that could use it: nothing is ever fetched.
  if (name === "allow_import" && isEmpty(value)) return ["--no-remote"];
  if (!Array.isArray(value)) return [`${dashed}=${JSON.stringify(value)}`];
  return [value.length === 0 ? dashed : `${dashed}=${value.join(",")}`];
}

/** Settings that say what the program is, not what it may do. */
const DESCRIPTIVE = new Set([
  "workspace_resolver",
  "entrypoint_key",
  "node_modules",
  "vfs_case_sensitivity",
  "app_name",
]);
/** Lists in which nothing means nothing; elsewhere, as in permissions, an empty one means all. */
const LISTS = new Set(["env_vars_from_env_file", "preload_modules", "require_modules"]);
/** What every binary has: a larger stack, and nothing that concerns permissions. */
const USUAL_V8_FLAGS = [
  "UNUSED_BUT_NECESSARY_ARG0",
  "--stack-size=1024",
  "--inspector-live-edit",
  "--external-memory-max-reasonable-size=0",
];
const NO_TELEMETRY = {
  tracing_enabled: false,
  metrics_enabled: false,
  console: "Ignore",
  deterministic_prefix: null,
  propagators: [],
};

function isNeutral(name: string, value: unknown): boolean {
  if (DESCRIPTIVE.has(name)) return true;
  if (name === "otel_config") return JSON.stringify(value) === JSON.stringify(NO_TELEMETRY);
  if (name === "unstable_config") return Object.values(value ?? {}).every((it) => isOff(it, true));
  return isOff(value, LISTS.has(name));
}

function isOff(value: unknown, orEmpty: boolean): boolean {
  return value === null || value === false || (orEmpty && isEmpty(value));
}

function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

/** From the header of an ELF file. */
function machineOf(buffer: Buffer): string {
  const isElf = buffer.subarray(0, 4).equals(Buffer.from("\x7fELF", "latin1"));
  const machine = isElf ? buffer.readUInt16LE(18) : -1;
  return { 62: "x86_64", 183: "aarch64" }[machine] ?? "unknown";
}
