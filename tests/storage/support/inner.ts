/** Runs in a process of its own with a worker's permissions. `inner.ts ROOT all|hold` */
import { checkRoot } from "../../../src/storage/check_root.ts";
import { openStorage } from "../../../src/storage/open_storage.ts";
import { someBytes, storeOne } from "./roots.ts";
import { mediaOf } from "../../support/media.ts";

const [root = "", task] = Deno.args;
const storage = await openStorage(root, { storage: "hot" }, { reserve: { fraction: 0 } });
if (task === "hold") {
  console.log("held");
  // Until it is killed, or its parent is gone.
  await Deno.stdin.read(new Uint8Array(1));
} else {
  const bytes = someBytes(300_000);
  const media = [mediaOf(bytes), mediaOf(bytes)] as const;
  for (let round = 0; round < 2; round++) {
    const one = await storeOne(storage, media[0], bytes, "in one go");
    const two = await storeOne(storage, media[1], bytes, "in pieces");
    console.log(one.outcome, two.outcome);
  }
  storage.close();
  const results = await checkRoot(root, { storage: "hot" }, { reserve: { fraction: 0 } });
  const wrong = results.filter(({ ok }) => !ok);
  console.log(wrong.length === 0 ? "checked" : JSON.stringify(wrong));
  console.log("done");
}
