import { UsageError } from "../../../src/errors.ts";
import { permissionFlags, type SandboxNeeds } from "../../../src/sandbox.ts";
import { runCompile } from "./run_compile.ts";

/** A program that listens, and may read no file. */
export interface HttpProgram<Options> {
  readonly name: "gateway" | "monitor";
  /** The options that it must be given, or mostly is. */
  readonly usage: string;
  readonly parse: (args: readonly string[]) => Options;
  readonly needs: (options: Options) => SandboxNeeds;
  readonly v8Flags?: readonly string[];
}

/** Runs the compiling task of such a program. Its password comes by standard input. */
export async function compileHttp<Options extends { readonly passwordFile?: string }>(
  { name, usage, parse, needs, v8Flags = [] }: HttpProgram<Options>,
): Promise<never> {
  const output = `dist/omoide-${name}`;
  return await runCompile(`compile-${name}`, {
    usage: `${usage} [--password-file -]\n` +
      `[further options of the ${name}] [--output FILE] [--target TRIPLE]`,
    makes: `that is the ${name}: its permissions and options are baked in, so it runs with no
arguments, and can reach no other address and no file.`,
    output,
    notes:
      `All the other options are the ${name}'s own: deno task ${name} --help. Its password comes by
standard input, which the unit omoide-${name}.service opens for it: --password-file -`,
  }, (args) => {
    const options = parse(args);
    const { passwordFile } = options;
    if (passwordFile !== undefined && passwordFile !== "-") {
      throw new UsageError(
        `The compiled ${name} may read no file: bake in --password-file -, and have standard input ` +
          "opened for it, as the unit does",
      );
    }
    return {
      entry: `src/${name}/main.ts`,
      permissions: permissionFlags(needs(options)),
      // The page's files are imported as text.
      unstable: ["raw-imports"],
      v8Flags,
      args,
      output,
    };
  });
}
