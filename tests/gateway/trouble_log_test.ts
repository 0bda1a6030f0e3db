import assert from "node:assert/strict";
import { ConfigurationError, DatabaseUnavailableError } from "../../src/errors.ts";
import { TroubleLog } from "../../src/gateway/trouble_log.ts";
import type { Logger } from "../../src/log.ts";

Deno.test("a reason why nobody is served is logged once, also where several take turns", () => {
  const said: unknown[] = [];
  const say = (_: string, { message }: Record<string, unknown>) => void said.push(message);
  const troubles = new TroubleLog({ warn: say, error: say } as unknown as Logger);
  for (let request = 0; request < 3; request++) {
    troubles.note(new DatabaseUnavailableError("refused"));
    troubles.note(new DatabaseUnavailableError("timeout"));
    troubles.note(new ConfigurationError("a wrong password"));
    troubles.note(new Error("a bug, which is logged with its request"));
  }
  assert.deepEqual(said, ["refused", "timeout", "a wrong password"]);
});
