/**
 * Sequences that nobody thought of: submitting, storing, crashing, losing answers, failing, squatting,
 * retiring, in any order. After each step nothing may be wrong, and in the end everything must drain. The
 * worker's own passes over the real inbox and the real store, in this process: a crash is a call on the
 * file system that never happens, nor any after it.
 */
import { getLogger } from "@logtape/logtape";
import fc from "fast-check";
import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { StorageHeldError } from "../../src/errors.ts";
import { openInbox } from "../../src/inbox/admin/inbox.ts";
import { retireStorage } from "../../src/inbox/admin/storages.ts";
import { InboxSession } from "../../src/inbox/session.ts";
import { pending, sweep } from "../../src/inbox/delivery_calls.ts";
import { takeStorage } from "../../src/inbox/storage_calls.ts";
import type { pg } from "../../src/inbox/pg.ts";
import { openStorage } from "../../src/storage/open_storage.ts";
import { GroupSize } from "../../src/worker/group_size.ts";
import { MediaMemory } from "../../src/worker/intake.ts";
import { PAGE, Pass } from "../../src/worker/pass.ts";
import { Probation } from "../../src/worker/probation.ts";
import { Progress } from "../../src/worker/progress.ts";
import { requireTools } from "../support/require_tool.ts";
import { until } from "../lab/command.ts";
import { CrashingCalls } from "../lab/crashing_calls.ts";
import { directoryOf } from "../lab/expected.ts";
import {
  brokenReceipts,
  chargedForNothing,
  receiptsOf,
  releasedTooEarly,
  wrongNames,
  wrongUploads,
} from "../lab/invariants.ts";
import { options, times } from "../lab/options.ts";
import { PendingUpload } from "../lab/pending_upload.ts";
import { FaultyProxy } from "../lab/proxy.ts";
import { sharedTemplate } from "../lab/template.ts";
import { readTree } from "../lab/tree.ts";
import type { World } from "../lab/world.ts";
import { sha256Of } from "../support/media.ts";

/** What is logged here would be the generated faults, thousands of times. */
const SILENT = getLogger(["omoide", "silent"]);

const STORAGES = ["hot", "cold", "third"];
const template = sharedTemplate({ storages: STORAGES });

const OWNERS = ["00000000-0000-4000-8000-0000000000aa", "00000000-0000-4000-8000-0000000000bb"];
const ITEMS = ["aa000000-0000-4000-8000-000000000001", "aa000000-0000-4000-8000-000000000002"];
/** Few, so that the same bytes and the same names meet; of one chunk, of several, and streamed. */
const CONTENTS = [0, 1, 5_000, 262_144, 300_000, 1_200_000].map((length, index) =>
  new Uint8Array(length).fill(index + 1)
);

const someName = fc.record({
  owner: fc.constantFrom(...OWNERS),
  item: fc.constantFrom(...ITEMS),
  ext: fc.constantFrom("jpg", "JPG"),
});

const submit = fc.record({
  do: fc.constant("submit" as const),
  name: someName,
  content: fc.nat(CONTENTS.length - 1),
});
const work = fc.record({
  do: fc.constant("work" as const),
  storage: fc.constantFrom(...STORAGES),
  // Storing one media takes about ten calls: with up to 40 alone, next to no worker of a short run died.
  crashAfter: fc.option(fc.oneof(fc.nat(10), fc.nat(40)), { nil: Infinity, freq: 2 }),
  loseAnswer: fc.boolean(),
});
const squat = fc.record({
  do: fc.constant("squat" as const),
  storage: fc.constantFrom(...STORAGES),
  name: someName,
  content: fc.nat(CONTENTS.length - 1),
});
/** A file comes in piece by piece, while everything else happens. */
const upload = fc.record({
  do: fc.constant("upload" as const),
  name: someName,
  content: fc.nat(CONTENTS.length - 1),
  /** Of its bytes, in hundredths. */
  part: fc.nat(100),
});
const uploadEnds = fc.record({
  do: fc.constant("end upload" as const),
  which: fc.nat(5),
  how: fc.constantFrom("finished" as const, "cancelled" as const, "expired" as const),
});
const fail = fc.record({ do: fc.constant("fail" as const), storage: fc.constantFrom(...STORAGES) });
const retire = fc.record({ do: fc.constant("retire" as const) });

const step = fc.oneof(
  { weight: 5, arbitrary: submit },
  { weight: 6, arbitrary: work },
  { weight: 2, arbitrary: upload },
  { weight: 2, arbitrary: uploadEnds },
  { weight: 1, arbitrary: squat },
  { weight: 1, arbitrary: fail },
  { weight: 1, arbitrary: retire },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

const NAME = { owner: OWNERS[0] ?? "", item: ITEMS[1] ?? "", ext: "jpg" as const };
/** Whatever the seed, there is a crash, a lost answer, and an upload that ends in each way. */
const EXAMPLE: Step[] = [
  { do: "upload", name: NAME, content: 5, part: 60 },
  { do: "upload", name: NAME, content: 4, part: 90 },
  { do: "upload", name: NAME, content: 3, part: 100 },
  { do: "submit", name: { owner: OWNERS[0] ?? "", item: ITEMS[0] ?? "", ext: "jpg" }, content: 2 },
  { do: "work", storage: "hot", crashAfter: 3, loseAnswer: false },
  { do: "end upload", which: 0, how: "finished" },
  { do: "end upload", which: 0, how: "cancelled" },
  { do: "end upload", which: 0, how: "expired" },
  { do: "upload", name: NAME, content: 2, part: 50 },
  { do: "work", storage: "hot", crashAfter: Infinity, loseAnswer: true },
];

/** How often what is generated came to pass, all sequences together. */
interface Happened {
  crashes: number;
  lostAnswers: number;
}

Deno.test({
  ...requireTools([]),
  name: "no sequence of submitting, storing, crashing, failing and retiring loses anything",
  fn: async () => {
    const happened: Happened = { crashes: 0, lostAnswers: 0 };
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 3, maxLength: times(15, 40) }),
        async (steps) => {
          await using world = await template().world();
          const scene = new Scene(world, happened);
          for (const each of steps) {
            await scene.play(each);
            assert.equal((await scene.wrong()).join("\n"), "");
          }
          await scene.drain();
        },
      ),
      {
        seed: options.seed,
        examples: [[EXAMPLE]],
        numRuns: 1 + times(4, 300),
        endOnFailure: !options.long,
      },
    );
    const told = `${happened.crashes} crashes, ${happened.lostAnswers} lost answers`;
    assert.ok(happened.crashes > 0 && happened.lostAnswers > 0, told);
    console.log(`  ${told}`);
  },
});

class Scene {
  #retired = false;
  #application: pg.Client | null = null;
  readonly #uploads: PendingUpload[] = [];
  /** Storages whose last worker died. */
  readonly #unclean = new Set<string>();

  constructor(private readonly world: World, private readonly happened: Happened) {}

  async play(step: Step): Promise<void> {
    if (step.do === "submit") await this.#submit(step.name, step.content);
    else if (step.do === "squat") await this.#squat(step.storage, step.name, step.content);
    else if (step.do === "fail") await this.#fail(step.storage);
    else if (step.do === "retire") await this.#retire();
    else if (step.do === "upload") await this.#upload(step.name, step.content, step.part);
    else if (step.do === "end upload") await this.#endUpload(step.which, step.how);
    else await this.#work(step.storage, step.crashAfter, step.loseAnswer);
  }

  /** I1 to I3 and I7, after any step. */
  async wrong(): Promise<string[]> {
    const database = await this.world.superuser();
    const wrong = [...await releasedTooEarly(database), ...await wrongUploads(database)];
    for (const { name, root } of this.world.storages) {
      wrong.push(...await brokenReceipts(root, await receiptsOf(database, name)));
      wrong.push(...wrongNames(await readTree(root), this.world.expected));
    }
    return wrong;
  }

  /** Everything comes to rest once nothing fails any more. */
  async drain(): Promise<void> {
    await this.world.query("UPDATE omoide.delivery SET next_attempt_at = '-infinity'");
    // Nobody comes back to what is still coming in.
    await this.world.query("UPDATE omoide.upload SET expires_at = now()");
    await this.#application?.end();
    for (const name of this.#serving()) await this.#work(name, Infinity, false);
    for (const name of this.#serving()) await this.#work(name, Infinity, false);
    await this.world.requireInvariants({ storages: this.#serving() });
    assert.deepEqual(await chargedForNothing(await this.world.superuser()), []);
  }

  #serving(): string[] {
    return STORAGES.filter((name) => name !== "third" || !this.#retired);
  }

  async #submit(
    name: { owner: string; item: string; ext: string },
    content: number,
  ): Promise<void> {
    await this.world.submit(CONTENTS[content] ?? new Uint8Array(), {
      ownerUuid: name.owner,
      itemUuid: name.item,
      ext: name.ext,
    });
  }

  async #upload(
    { owner, item, ext }: { owner: string; item: string; ext: string },
    content: number,
    part: number,
  ): Promise<void> {
    this.#application ??= await this.world.connectApplication();
    const bytes = CONTENTS[content] ?? new Uint8Array();
    const name = { ownerUuid: owner, itemUuid: item, mediaType: "content", ext };
    this.world.expected.allow({ ...name, size: bytes.length, sha256: sha256Of(bytes) });
    const upload = await PendingUpload.open(this.#application, bytes, name);
    await upload.bring(this.#application, Math.floor(bytes.length * part / 100));
    this.#uploads.push(upload);
  }

  async #endUpload(which: number, how: "finished" | "cancelled" | "expired"): Promise<void> {
    const [upload] = this.#uploads.splice(which % Math.max(1, this.#uploads.length), 1);
    if (upload === undefined || this.#application === null) return;
    if (how === "finished") this.world.expected.add(await upload.finish(this.#application));
    else if (how === "cancelled") await upload.cancel(this.#application);
    else await upload.expire(await this.world.superuser());
  }

  /** Somebody else puts a file where a media's public name belongs. */
  async #squat(
    storage: string,
    name: { owner: string; item: string; ext: string },
    content: number,
  ) {
    const bytes = CONTENTS[content] ?? new Uint8Array();
    const directory = directoryOf({
      mediaType: "content",
      ownerUuid: name.owner,
      itemUuid: name.item,
    });
    const path = `${directory}/${name.item}.${name.ext}`;
    const place = join(this.world.root(storage), path);
    await Deno.mkdir(dirname(place), { recursive: true });
    try {
      await Deno.writeFile(place, bytes, { createNew: true });
      this.world.expected.allowFile(path, sha256Of(bytes));
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    }
  }

  /** A failure that a worker has reported, such as of a file it could not create. */
  async #fail(storage: string): Promise<void> {
    await this.world.query(
      `UPDATE omoide.delivery SET attempts = 1, last_error = 'generated' WHERE attempts = 0 AND media_id =
       (SELECT min(media_id) FROM omoide.owed WHERE storage = $1) AND storage_id =
       (SELECT id FROM omoide.storage WHERE name = $1)`,
      [storage],
    );
  }

  async #retire(): Promise<void> {
    if (this.#retired) return;
    await using inbox = await openInbox(this.world.server.url(this.world.database));
    await retireStorage(inbox, "third", false);
    this.#retired = true;
  }

  /** A worker's life: takes the storage, walks once, and ends well or not. */
  async #work(name: string, crashAfter: number, loseAnswer: boolean): Promise<void> {
    if (!this.#serving().includes(name)) return;
    await using proxy = FaultyProxy.before(this.world.server.port);
    const crashing = new CrashingCalls(crashAfter);
    const storage = await openStorage(this.world.root(name), { storage: name }, {
      calls: crashing.calls,
      reserve: { bytes: 0 },
    });
    const session = await InboxSession.open({
      hosts: [{ host: "127.0.0.1", port: proxy.port }],
      database: this.world.database,
      user: `omoide_${name}`,
      tls: "disable",
      target: "read-write",
    }, { password: "secret" });
    if (loseAnswer) {
      void proxy.swallowAnswerTo("omoide.acknowledge").then(() => this.happened.lostAnswers++);
    }
    try {
      await this.#take(session, name, storage.identity.uuid);
      await sweep(session);
      await this.#passOver(session, storage, this.#unclean.has(name));
      await sweep(session);
      this.#unclean.delete(name);
    } catch (error) {
      if (!crashing.dead && !session.ended.aborted) throw error;
      if (crashing.dead) this.happened.crashes++;
      this.#unclean.add(name);
    } finally {
      session.end(new Error("the process ended"));
      storage.close();
    }
  }

  /** The server may need a moment to notice that the life before this one has ended. */
  async #take(session: InboxSession, name: string, identity: string): Promise<void> {
    await until(`${name} is free`, async () => {
      try {
        return await takeStorage(session, name, identity);
      } catch (error) {
        if (error instanceof StorageHeldError) return undefined;
        throw error;
      }
    });
  }

  async #passOver(
    session: InboxSession,
    storage: Awaited<ReturnType<typeof openStorage>>,
    unclean: boolean,
  ): Promise<void> {
    const probation = new Probation();
    if (unclean) probation.suspect();
    const pass = new Pass({
      session,
      storage,
      probation,
      progress: new Progress(SILENT),
      stop: new AbortController().signal,
      group: new GroupSize({ files: 3, bytes: 1024 * 1024 }, false),
      memory: new MediaMemory(),
    });
    await pass.run(await pending(session, 0n, PAGE), Infinity);
  }
}
