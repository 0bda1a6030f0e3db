/** The documents whose blocks of commands are run, from the top of the project. */
export const DEPLOYMENT = "scripts/deploy/README.md";
export const TOOLS = "src/admin/README.md";

/** A block of commands of a document. */
export interface Block {
  /** The machine that it is typed on. */
  readonly on: string;
  /** Its name, if it is a recipe. */
  readonly recipe: string;
  /** The heading that it stands under. */
  readonly heading: string;
  readonly script: string;
}

/** Every block that a document marks with `on=…` or `recipe=…`, in its order. Recipes are for the storages' machine. */
export async function blocksOf(document: string): Promise<Block[]> {
  const text = await Deno.readTextFile(new URL(`../../../${document}`, import.meta.url));
  const blocks: Block[] = [];
  let heading = "";
  const pattern =
    /^#+ (?<title>.*)$|^```sh (?:on=(?<on>\w+)|recipe=(?<recipe>[\w-]+))\n(?<script>[\s\S]*?)^```$/gm;
  for (const { groups = {} } of text.matchAll(pattern)) {
    const { title, on = "storages", recipe = "", script } = groups;
    if (title !== undefined) heading = title;
    if (script !== undefined) blocks.push({ on, recipe, heading, script });
  }
  return blocks;
}

/** A block's script, with what differs between the reader's machines and the test's. */
export function fitted(
  block: Block,
  { databasePort }: { readonly databasePort: number },
): string {
  return block.script
    .replaceAll("--database-address 192.0.2.5", "--database-address 127.0.0.1")
    .replaceAll("IPAddressAllow=192.0.2.5", "IPAddressAllow=127.0.0.1")
    .replaceAll("192.0.2.5 \\\n", "127.0.0.1 \\\n")
    .replaceAll("192.0.2.5/omoide", `127.0.0.1:${databasePort}/omoide`);
}
