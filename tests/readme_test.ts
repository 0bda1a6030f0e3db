/** What the README says of codes and options is what the programs do. */
import assert from "node:assert/strict";
import { EXIT } from "../src/exit_codes.ts";
import { SQLSTATE } from "../src/inbox/sqlstates.ts";
import { permissionFlags, workerNeeds } from "../src/sandbox.ts";

const read = (path: string) => Deno.readTextFileSync(new URL(path, import.meta.url));
const readme = read("../README.md");

Deno.test("the README lists every SQLSTATE that an application can meet, and no other", () => {
  const listed = [...readme.matchAll(/^\| `(OM\d{3})` +\|/gm)].map(([, code]) => code);
  const raised = Object.values(SQLSTATE).filter((code) => code < "OM020");
  assert.deepEqual(listed, raised);
});

Deno.test("the README lists every exit status of a worker, and no other", () => {
  const listed = [...readme.matchAll(/^\| (\d) +\| /gm)].map(([, code]) => Number(code));
  const ofWorkers = [EXIT.OK, EXIT.UNEXPECTED, EXIT.USAGE, EXIT.TRY_AGAIN, EXIT.CONFIGURATION];
  assert.deepEqual(listed, [...ofWorkers, EXIT.DISTRUSTED, EXIT.INCOMPLETE]);
});

Deno.test("the README names every option of a worker", async () => {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", new URL("../main.ts", import.meta.url).pathname, "--help"],
  }).output();
  const options = [...new TextDecoder().decode(stdout).matchAll(/^ +(?:-\w, )?(--[a-z-]+)/gm)]
    .map(([, option]) => option ?? "").filter((option) =>
      !["--version", "--help"].includes(option)
    );
  assert.ok(options.length >= 14, `${options}`);
  assert.deepEqual(options.filter((option) => !readme.includes(`\`${option}\``)), []);
});

Deno.test("the README shows the flags that a worker runs with", () => {
  const flags = permissionFlags(workerNeeds({ root: "ROOT", database: { host: "HOST", port: 0 } }));
  const shown = readme.replaceAll(/\s+/g, " ");
  for (const flag of flags) assert.ok(shown.includes(flag.replace("HOST:0", "HOST:PORT")), flag);
});
