const CHAPTER = new URL("../../../README.md", import.meta.url).pathname;

/** A block of commands of the deployment chapter. */
export interface Block {
  /** The machine that it is typed on. */
  readonly on: string;
  /** The heading that it stands under. */
  readonly heading: string;
  readonly script: string;
}

/** Every block that the chapter marks with `on=…`, in its order. */
export async function blocksOfChapter(): Promise<Block[]> {
  const text = await Deno.readTextFile(CHAPTER);
  const blocks: Block[] = [];
  let heading = "";
  const pattern = /^#+ (?<title>.*)$|^```sh on=(?<on>\w+)\n(?<script>[\s\S]*?)^```$/gm;
  for (const { groups = {} } of text.matchAll(pattern)) {
    const { title, on, script } = groups;
    if (title !== undefined) heading = title;
    if (on !== undefined && script !== undefined) blocks.push({ on, heading, script });
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
    .replaceAll("192.0.2.5/omoide", `127.0.0.1:${databasePort}/omoide`);
}
