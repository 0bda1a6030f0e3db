/** The blocks of a document that are marked `sh recipe=NAME`, run as they stand there. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../../../src/admin/main.ts", import.meta.url));

export class Recipes {
  readonly #text: string;
  readonly #used = new Set<string>();

  constructor(document: URL) {
    this.#text = Deno.readTextFileSync(document);
  }

  /** A block that is not to be run here. */
  leaveOut(name: string): void {
    this.#used.add(name);
  }

  /**
   * Runs a block, with `/srv/omoide` as this directory, and without the programs that a test has not.
   *
   * @param fit puts what else a test has elsewhere in its place
   * @returns what it said. Fails unless it exits 0
   */
  async follow(
    directory: string,
    name: string,
    env: Record<string, string>,
    fit: (script: string) => string = (script) => script,
  ): Promise<string> {
    const script = `
      set -e
      omoide-admin() { "${Deno.execPath()}" run -A --no-check "${MAIN}" "$@"; }
      systemctl() { :; }; umount() { :; }; mount() { :; }
      ${fit(this.#block(name)).replaceAll("/srv/omoide", directory)}`;
    const { code, stdout, stderr } = await new Deno.Command("bash", {
      args: ["-c", script],
      cwd: directory,
      env: { NO_COLOR: "1", ...env },
    }).output();
    const decoder = new TextDecoder();
    const said = decoder.decode(stdout) + decoder.decode(stderr);
    assert.equal(code, 0, `${name}: ${said}`);
    return said;
  }

  /** Fails if the document has a block that has not been run. */
  requireAll(): void {
    const all = [...this.#text.matchAll(/```sh recipe=(.*)/g)].map(([, name]) => name);
    assert.deepEqual([...this.#used].sort(), all.sort());
  }

  #block(name: string): string {
    const found = new RegExp("```sh recipe=" + name + "\\n(.*?)```", "s").exec(this.#text)?.[1];
    assert.ok(found !== undefined, `there is no recipe ${name}`);
    this.#used.add(name);
    return found;
  }
}
