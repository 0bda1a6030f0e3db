import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { closeSync, writeSync } from "node:fs";
import { ConfigurationError } from "../../src/errors.ts";
import { AuditLog } from "../../src/storage/admin/audit_log.ts";
import { GuardedTree } from "../../src/storage/admin/guarded_tree.ts";
import { planPurge, purgeFiles } from "../../src/storage/admin/purge.ts";
import { clearName, quarantine, replaceName } from "../../src/storage/admin/quarantine.ts";
import { linkObject, repairOrder } from "../../src/storage/admin/repair.ts";
import { LocalSource } from "../../src/storage/admin/source.ts";
import { orphanProbes, removeOrphans } from "../../src/storage/admin/sweep.ts";
import { fileCalls } from "../../src/storage/file_calls.ts";
import { parentOf } from "../../src/storage/layout.ts";
import { readIdentity } from "../../src/storage/identity.ts";
import { run } from "../lab/command.ts";
import { copyTree, OWNER, type Plant, PLANTS, snapshot } from "../lab/hostile_tree.ts";
import { codeOf } from "../worker/support/source_text.ts";
import { requireTools } from "../support/require_tool.ts";
import { unguarded } from "./support/unguarded_tree.ts";
import { identityOf, makeMedia, makeStorage, plant, type Planted } from "./support/tree.ts";

const parent = await Deno.makeTempDir({ prefix: "omoide-guard-" });
Deno.test.afterAll(() => Deno.remove(parent, { recursive: true }));
const NEEDS = requireTools([], { root: true });
const noLog = { write: () => {} };
const owner = { uid: OWNER, gid: OWNER };

interface Scene {
  readonly root: string;
  readonly outside: string;
  readonly media: Planted;
}

interface Action {
  /** The name that the tree's owner makes something else of. */
  readonly place: (scene: Scene) => string;
  /** What has that name is a file. */
  readonly isFile?: true;
  /** It links or renames across that place, which the kernel does on one file system only. */
  readonly links?: true;
  readonly act: (tree: GuardedTree, scene: Scene) => unknown;
}

/** Everything that the tools do to a tree, each with the place that led it elsewhere. */
const ACTIONS: Readonly<Record<string, Action>> = {
  "the audit log is opened": {
    place: () => ".omoide/record.jsonl",
    isFile: true,
    act: (tree) => new AuditLog(tree, owner)[Symbol.dispose](),
  },
  "something is quarantined": {
    place: () => ".omoide/quarantine",
    act: (tree, { media }) => quarantine(tree, media.object, owner),
  },
  "probes are swept": {
    place: () => ".omoide/probe",
    act: (tree) => removeOrphans(tree, [...orphanProbes(tree, new Date())]),
  },
  "drafts are swept": {
    place: () => ".omoide/aside",
    act: (tree) => removeOrphans(tree, [...orphanProbes(tree, new Date())]),
  },
  "a media is delivered again": {
    place: ({ media }) => media.path.split("/").slice(0, 2).join("/"),
    links: true,
    act: (tree, { media }) => clearName(tree, media.path, media.sha256, owner, noLog),
  },
  "a file's mode and owner are repaired": {
    place: ({ media }) => media.object,
    isFile: true,
    act: (tree, { media }) => repair(tree, media.object),
  },
  "a directory's mode and owner are repaired": {
    place: ({ media }) => media.path.split("/").slice(0, 3).join("/"),
    act: (tree, { media }) => repair(tree, media.path.split("/").slice(0, 3).join("/")),
  },
  "what is below a directory is repaired": {
    place: () => "content",
    act: (tree, { media }) => repair(tree, media.path.split("/").slice(0, 3).join("/")),
  },
  "an object is made": {
    place: () => ".omoide/objects",
    act: (tree, { media }) => {
      const fd = tree.create(`${media.object}.2`, 0o440);
      writeSync(fd, media.bytes);
      closeSync(fd);
    },
  },
  "an object is linked": {
    place: ({ media }) => media.object.slice(0, ".omoide/objects/00".length),
    links: true,
    act: (tree, { media }) =>
      linkObject(tree, media, media.path, Deno.lstatSync(`${tree.root}/${media.path}`)),
  },
  "a public name passes on": {
    place: () => "content",
    links: true,
    act: (tree, { media }) =>
      replaceName(tree, media.path, media.object, Deno.statSync(`${tree.root}/${media.path}`)),
  },
  "a manifest is purged": {
    place: () => "content",
    act: async (tree, { media }) => {
      const entry = { ...media, mediaId: media.id, object: media.object.slice(19), writtenAt: 0 };
      const { signal } = new AbortController();
      const plan = await planPurge(tree, 2, [entry], signal);
      purgeFiles(
        tree,
        plan.files.length > 0 ? plan.files : [{
          entry,
          object: media.object,
          file: Deno.statSync(`${tree.root}/${media.path}`),
        }],
      );
    },
  },
};

function repair(tree: GuardedTree, path: string): void {
  const good = new LocalSource(tree.root, readIdentity(tree.root));
  repairOrder(path, { tree, owner, good, auditLog: noLog });
}

/** What the owner of a tree makes of a place. */
interface Form {
  readonly plant: Plant;
  /** What must stay as it is. */
  readonly watched: (scene: Scene, place: string) => string;
  /** What lies in the place is passed over, or refused so. */
  readonly refusal: RegExp;
  readonly fits: (action: Action) => boolean;
}

const [LINK, FIFO, DEVICE, OTHER_DISK] = PLANTS;
assert.ok(LINK && FIFO && DEVICE && OTHER_DISK);
const inPlace = ({ root }: Scene, place: string) => `${root}/${place}`;
const FORMS: readonly Form[] = [
  {
    plant: LINK,
    watched: ({ outside }) => outside,
    refusal: /symbolic link|does not exist/,
    fits: () => true,
  },
  // In a directory's place the kernel sees by itself that they are none.
  ...[FIFO, DEVICE].map((plant): Form => ({
    plant,
    watched: inPlace,
    refusal: /is a special file/,
    fits: ({ isFile }) => isFile === true,
  })),
  {
    plant: OTHER_DISK,
    watched: inPlace,
    refusal: /is on another file system/,
    fits: ({ links }) => links !== true,
  },
  {
    // Whoever can write to a directory can swap anything in it at any moment.
    plant: { name: "in a directory of another user's", make: `chown ${OWNER} "$(dirname "$P")"` },
    watched: ({ root }, place) => `${root}/${parentOf(place)}`,
    refusal: /can be written to by others than root/,
    fits: () => true,
  },
];

let scenes = 0;
function makeScene(): Scene {
  const directory = `${parent}/${++scenes}`;
  const root = makeStorage(directory, identityOf("hot", randomUUID()));
  const media = plant(root, makeMedia());
  for (const name of ["quarantine", "aside"]) Deno.mkdirSync(`${root}/.omoide/${name}`);
  for (const path of ["record.jsonl", "probe/old", "quarantine/draft-old", "aside/draft-old"]) {
    Deno.writeTextFileSync(`${root}/.omoide/${path}`, "");
    Deno.utimeSync(`${root}/.omoide/${path}`, 1000, 1000);
  }
  return { root, outside: `${directory}/outside`, media };
}

for (const [name, action] of Object.entries(ACTIONS)) {
  Deno.test({
    ...NEEDS,
    name: `${name}: nothing changes where it must not, as it would without the guard`,
    fn: async (t) => {
      for (const { plant, watched, refusal } of FORMS.filter(({ fits }) => fits(action))) {
        await t.step(plant.name, async () => {
          const scene = makeScene(), place = action.place(scene);
          const here = watched(scene, place);
          await using planted = await Planting.of(plant, scene, place);
          const before = snapshot(here);
          const refused = await refusalOf(() => action.act(new GuardedTree(scene.root, 1), scene));
          assert.deepEqual(snapshot(here), before, "changed in spite of the guard");
          if (refused !== null) assert.match(String(refused), refusal);
          planted.openOtherEnd();
          await refusalOf(() => action.act(unguarded(scene.root), scene));
          assert.notDeepEqual(snapshot(here), before, "the control changes nothing");
        });
      }
    },
  });
}

/** What was put in a place, until disposed of. */
class Planting implements AsyncDisposable {
  #fifo: Deno.FsFile | null = null;

  private constructor(
    private readonly plant: Plant,
    private readonly env: Record<string, string>,
  ) {}

  static async of(plant: Plant, { root, outside }: Scene, place: string): Promise<Planting> {
    const other = `${outside}.disk`;
    Deno.mkdirSync(other);
    if (plant === LINK) await copyTree(root, outside);
    const env = { P: `${root}/${place}`, V: `${outside}/${place}`, OTHER: other };
    await run("env", ...Object.entries(env).map(([k, v]) => `${k}=${v}`), "sh", "-ec", plant.make);
    return new Planting(plant, env);
  }

  /** So that whoever opens the FIFO does not wait. */
  openOtherEnd(): void {
    if (this.plant !== FIFO) return;
    this.#fifo = Deno.openSync(this.env.P ?? "", { read: true, write: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#fifo?.close();
    if (this.plant.undo === undefined) return;
    const { P = "", OTHER = "" } = this.env;
    await run("env", `P=${P}`, `OTHER=${OTHER}`, "sh", "-ec", this.plant.undo);
  }
}

/** What an action is refused with; null where it is not. */
async function refusalOf(act: () => unknown): Promise<unknown> {
  try {
    await act();
    return null;
  } catch (error) {
    return error;
  }
}

/** Who else in `src/storage/admin` calls the file system by a path, and why that is no way past the guard. */
const PATHS: Readonly<Record<string, string>> = {
  "guarded_tree.ts": "the guard itself",
  "hash_worker.ts": "threads; whoever asked compares the file that was hashed",
  "init_root.ts": "makes the tree: as its owner, or as root where nobody else can write",
  "located_tree.ts": "looks at the root and above it, before anything in it",
  "mode_check.ts": "looks at the root",
  "named_file.ts": "files outside the tree, which the command line names",
  "open_for_admin.ts": "opens storage.json for its lock, and compares it",
  "ownership.ts": "the write-once store's calls, which has a guard of its own",
  "two_mounts.ts": "new probes in a directory that the guard has looked at, as the owner",
  "usable_root.ts": "lists what is there before it is a tree, and opens none of it",
};

Deno.test("nothing in src/storage/admin goes to a tree past the guard", () => {
  const calls = new RegExp(
    "\\bDeno\\.(open|create|l?stat|readDir|read(Text)?File|write(Text)?File|mkdir|remove|rename|link|" +
      "symlink|readLink|chmod|chown|utime|truncate|realPath|copyFile)(Sync)?\\(|" +
      "\\b(open|l?stat|mkdir|rename|unlink|link|symlink|rm|rmdir|l?chown|chmod|readFile|writeFile|" +
      "readdir|opendir|utimes|truncate|copyFile)Sync\\(",
  );
  const directory = new URL("../../src/storage/admin/", import.meta.url);
  const found = [...Deno.readDirSync(directory)].map(({ name }) => name)
    .filter((name) => calls.test(codeOf(Deno.readTextFileSync(new URL(name, directory)))));
  assert.deepEqual(found.sort(), Object.keys(PATHS));
});

Deno.test("no path leads out of a tree, and none is taken that is not in its plain form", () => {
  const root = makeStorage(`${parent}/plain`, identityOf("hot", randomUUID()));
  const tree = new GuardedTree(root, 1);
  for (const path of ["../x", "content/../../x", "/etc/passwd", "content//x", "./content/x"]) {
    assert.throws(() => tree.look(path), ConfigurationError, path);
    assert.throws(() => tree.create(path, 0o600), ConfigurationError, path);
  }
});

Deno.test("a file that another one took the place of is not removed, linked or opened", () => {
  const root = makeStorage(`${parent}/replaced`, identityOf("hot", randomUUID()));
  const media = plant(root, makeMedia()), tree = new GuardedTree(root, 1);
  const before = tree.requireFile(media.path);
  // Renamed over it, so that the two cannot have the same inode.
  Deno.writeTextFileSync(`${root}/content/new`, "somebody's");
  Deno.renameSync(`${root}/content/new`, `${root}/${media.path}`);
  assert.throws(() => tree.remove(media.path, before), /changed underneath/);
  assert.throws(() => tree.link(media.path, "content/more", before), /changed underneath/);
  assert.throws(() => tree.openRead(media.path, before), /changed underneath/);
  assert.throws(() => tree.settle(media.path, null, 0o600, before), /changed underneath/);
  assert.throws(
    () => tree.remove(media.object, { ...before, dev: before.dev + 1 }),
    /changed underneath/,
    "the same inode of another file system",
  );
  assert.equal(Deno.readTextFileSync(`${root}/${media.path}`), "somebody's");
});

/** Does something once, right after the next look at this name: the moment at which to swap it. */
function rightAfterLook(name: string, act: () => void): Disposable {
  const { lstat } = fileCalls;
  let isDone = false;
  fileCalls.lstat = (path) => {
    const found = lstat(path);
    if (path === name && !isDone) {
      isDone = true;
      act();
    }
    return found;
  };
  return { [Symbol.dispose]: () => void (fileCalls.lstat = lstat) };
}

Deno.test("a directory that is swapped between a look and what follows is noticed", () => {
  const root = makeStorage(`${parent}/swapped`, identityOf("hot", randomUUID()));
  const tree = new GuardedTree(root, 1), directory = `${root}/content/a`;
  const inTurn = {
    "is listed": () => tree.list("content/a"),
    "gets a file": () => tree.create("content/a/new", 0o600),
    "gets a file to append to": () => tree.openAppend("content/a/log", 0o600),
  };
  for (const [what, act] of Object.entries(inTurn)) {
    for (const name of ["a", "b"]) Deno.mkdirSync(`${root}/content/${name}`);
    using _swap = rightAfterLook(directory, () => {
      Deno.renameSync(directory, `${directory}.aside`);
      Deno.renameSync(`${root}/content/b`, directory);
    });
    assert.throws(act, /changed underneath/, what);
    for (const name of ["a", "a.aside"]) {
      Deno.removeSync(`${root}/content/${name}`, { recursive: true });
    }
  }
});

Deno.test({
  ...NEEDS,
  name: "root changes nothing below a directory that another user can write to",
  fn: () => {
    const root = makeStorage(`${parent}/others`, identityOf("hot", randomUUID()));
    const media = plant(root, makeMedia()), tree = new GuardedTree(root, 1);
    Deno.chownSync(`${root}/content`, OWNER, OWNER);
    const before = tree.requireFile(media.path);
    assert.throws(() => tree.remove(media.path, before), /can be written to by others than root/);
    Deno.chownSync(`${root}/content`, 0, 0);
    Deno.chmodSync(`${root}/content`, 0o770);
    assert.throws(() => tree.remove(media.path, before), /can be written to by others than root/);
    Deno.chmodSync(`${root}/content`, 0o750);
    tree.remove(media.path, before);
  },
});
