import type { ExitCode } from "../exit_codes.ts";
import { locate, type Located } from "../storage/admin/located_tree.ts";
import { LocalSource, type Source } from "../storage/admin/source.ts";
import { Console } from "./console.ts";
import { enterTree, mustBecome } from "./enter_tree.ts";
import { untilInterrupted } from "./interrupt.ts";
import { drop, type Need } from "./permissions.ts";
import { openRoot, type Root } from "./roots.ts";
import { type Reader, SourceProcess, startReader } from "./source/source_process.ts";

/** What a command works with. */
export class Context {
  readonly console: Console;
  #signal: AbortSignal | null = null;

  constructor(json: boolean) {
    this.console = new Console(json);
  }

  /**
   * Aborted when the administrator presses Ctrl-C. Only from when it is first asked for: a command that
   * never looks at it ends at once, as any program does.
   */
  get signal(): AbortSignal {
    return this.#signal ??= untilInterrupted();
  }
}

/** What a command that works on a tree has besides. Root's rights are gone by now. */
export class TreeContext extends Context {
  constructor(
    json: boolean,
    /** The tree's root: absolute, without links. */
    readonly path: string,
    readonly openSource: () => Promise<Source>,
  ) {
    super(json);
  }

  /** @throws {StorageLostError | ConfigurationError} it is no storage, or none that can be read */
  readonly openRoot = (): Root => openRoot(this.path);
}

/**
 * Flags (`!` in front of what must be given), explanation, what reads the value (it throws what `refuse` in
 * command_line.ts makes), and the default as one would type it.
 */
export type OptionSpec = readonly [
  flags: string,
  explanation: string,
  parse?: (text: string) => unknown,
  fallback?: string,
];

/** A command as its file describes it. */
interface Description {
  /** Name and arguments, as in `verify <root>`. */
  readonly usage: string;
  readonly summary: string;
  /** Paragraphs of `--help` above the options. */
  readonly description: string;
  /** Left out of the list of commands: only this program itself starts it. */
  readonly hidden?: boolean;
  readonly options: readonly OptionSpec[];
  /** What reads each argument, in their order; those beyond stay as they are. */
  readonly readArguments?: readonly ((text: string) => string)[];
  readonly examples: readonly string[];
  /** Exit statuses that mean something particular here, beside those every command has. */
  readonly exits?: Partial<Record<ExitCode, string>>;
}

type Args = readonly string[];

/** A command that looks at no tree. */
export interface PlainSpec<Options> extends Description {
  readonly need: Need;
  readonly run: (args: Args, options: Options, context: Context) => Promise<ExitCode>;
}

/**
 * A command that works on a tree, which is not trusted. It runs as the tree's owner; `tree`, `source` and
 * `prepare` come before that, as whoever started the program.
 */
export interface TreeSpec<Options, Prepared> extends Description {
  /** It may depend on whether a database was named. */
  readonly need: Need | ((options: Options) => Need);
  /** Which tree, as it was given; null where these arguments name none. */
  readonly tree: (args: Args, options: Options) => string | null;
  /** Whether the tree may still have to be made. */
  readonly makesTree?: boolean;
  /** A second tree, which is only read: by another process, where it belongs to another user. */
  readonly source?: (args: Args, options: Options) => string | null;
  /**
   * Opens or reads the files outside the tree that the command line names (they may be readable by root
   * alone). Looks at no tree.
   */
  readonly prepare?: (args: Args, options: Options) => Prepared;
  readonly run: (
    args: Args,
    options: Options,
    context: TreeContext,
    prepared: Prepared,
  ) => Promise<ExitCode>;
}

/** One command of the program: what it says of itself, and how it is started. */
export interface AdminCommand {
  readonly description: Description;
  /** Whether it works on a tree, and so as the tree's owner. */
  readonly worksOnTree: boolean;
  readonly start: (args: Args, options: { json?: boolean }) => Promise<ExitCode>;
}

/** Every command that talks to the inbox takes it by this option. */
export const DATABASE = [
  "!--database <url>",
  "a superuser's postgres://USER[:PASSWORD]@HOST[:PORT][,…]/DATABASE; PGPASSWORD is read too",
] as const;

/** A UUID for examples. */
export const OWNER = "6f1c1c0e-9a5b-4f0e-8d3a-0c2f5a7b9e11";

/** Commands that only ask need no superuser. */
export const DATABASE_TO_ASK = [
  DATABASE[0],
  "the monitor's, or a superuser's postgres://USER[:PASSWORD]@HOST[:PORT][,…]/DATABASE; PGPASSWORD is read too",
] as const;

/** Every command that takes something away is a dry run without it. */
export const YES = ["--yes", "do it; without it, only show what would be done"] as const;

export function plainCommand<Options>(spec: PlainSpec<Options>): AdminCommand {
  return {
    description: spec,
    worksOnTree: false,
    start: (args, options) => {
      drop(spec.need);
      return run(new Context(options.json === true), (context) =>
        // Commander gives what `spec.options` describes.
        spec.run(args, options as Options, context));
    },
  };
}

export function treeCommand<Options, Prepared = undefined>(
  spec: TreeSpec<Options, Prepared>,
): AdminCommand {
  return {
    description: spec,
    worksOnTree: true,
    start: (args, given) => {
      const options = given as Options;
      const root = spec.tree(args, options);
      const tree = root === null ? null : locate(root, spec.makesTree);
      const source = spec.source?.(args, options) ?? null;
      const prepared = spec.prepare?.(args, options) as Prepared;
      const open = source === null || tree === null ? noSource : sourceFor(tree, locate(source));
      if (tree !== null) enterTree(tree);
      drop(typeof spec.need === "function" ? spec.need(options) : spec.need);
      const context = new TreeContext(given.json === true, tree?.path ?? "", open);
      return run(context, () => spec.run(args, options, context, prepared));
    },
  };
}

/** How the second tree will be opened; the process that reads it must be started while this is root. */
function sourceFor(tree: Located, source: Located): () => Promise<Source> {
  const isOthers = Deno.uid() === 0 && source.owner?.uid !== tree.owner?.uid;
  if (isOthers && (mustBecome(source) || mustBecome(tree))) {
    const reader: Reader = startReader(source.path);
    return () => SourceProcess.open(source.path, reader);
  }
  return () => {
    const { path, identity } = openRoot(source.path);
    return Promise.resolve(new LocalSource(path, identity));
  };
}

function noSource(): Promise<Source> {
  throw new Error("this command line names no second tree");
}

async function run<C extends Context>(
  context: C,
  action: (context: C) => Promise<ExitCode>,
): Promise<ExitCode> {
  try {
    return await action(context);
  } finally {
    context.console.clear();
  }
}
