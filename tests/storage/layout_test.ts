import assert from "node:assert/strict";
import fc from "fast-check";
import { MEDIA_TYPES, renamedName, usualName } from "../../src/media.ts";
import {
  FORMATS,
  isSkeleton,
  ObjectLayout,
  objectName,
  parseObjectName,
  parsePublicPath,
  publicPath,
  unfitRoot,
} from "../../src/storage/layout.ts";
import { objectPath } from "../lab/first_format.ts";

const SHA256 = "ab".repeat(32);
const ITEM = "0123abcd-0000-4000-8000-000000000000";
const OWNER = "ffffffff-0000-4000-8000-000000000000";

const sha256 = fc.stringMatching(/^[0-9a-f]{64}$/);
const uuid = fc.uuid();
const ext = fc.stringMatching(/^[A-Za-z0-9]{1,16}$/);

Deno.test("paths are those that the design and other Omoide installations have", () => {
  assert.equal(objectPath({ sha256: SHA256, id: 7n }), `.omoide/objects/ab/${SHA256}-7`);
  assert.equal(objectPath({ sha256: SHA256, id: 7n }, 3), `.omoide/objects/ab/${SHA256}-7.3`);
  const media = { ownerUuid: OWNER, itemUuid: ITEM, mediaType: "preview", ext: "jpg" } as const;
  const named = { ...media, publicName: usualName(media) };
  assert.equal(publicPath(named, 2), `preview/${OWNER}/01/${ITEM}.jpg`);
  assert.equal(publicPath(named, 4), `preview/${OWNER}/0123/${ITEM}.jpg`);
});

Deno.test("an object's name tells what it was made of", () => {
  const ids = fc.bigInt({ min: 1n, max: 2n ** 63n - 1n });
  fc.assert(fc.property(sha256, ids, fc.integer({ min: 1, max: 8 }), (sha256, id, attempt) => {
    assert.deepEqual(parseObjectName(objectName({ sha256, id }, attempt)), {
      sha256,
      mediaId: id,
      attempt,
    });
  }));
});

Deno.test("what is not exactly an object's name is none", () => {
  for (
    const name of [
      "",
      SHA256,
      `${SHA256}-`,
      `${SHA256}-0`,
      `${SHA256}-01`,
      `${SHA256}-7.1`,
      `${SHA256}-7.02`,
      `${SHA256}-7.2.2`,
      `${SHA256}-7\n`,
      `${SHA256.toUpperCase()}-7`,
      `x${SHA256}-7`,
    ]
  ) assert.equal(parseObjectName(name), null, name);
});

Deno.test("a public path tells what it was made of, whatever the prefix size", () => {
  const parts = fc.record({
    ownerUuid: uuid,
    itemUuid: uuid,
    mediaType: fc.constantFrom(...MEDIA_TYPES),
    ext,
    sha256,
  });
  fc.assert(
    fc.property(
      parts,
      fc.integer({ min: 1, max: 8 }),
      fc.boolean(),
      (parts, prefixSize, renamed) => {
        const publicName = renamed ? renamedName(parts) : usualName(parts);
        const path = publicPath({ ...parts, publicName }, prefixSize);
        assert.deepEqual(parsePublicPath(path, prefixSize), {
          ...parts,
          sha256: renamed ? parts.sha256 : null,
        });
      },
    ),
  );
});

Deno.test("what is not exactly a public path is none", () => {
  for (
    const path of [
      `content/${OWNER}/01/${ITEM}`,
      `content/${OWNER}/02/${ITEM}.jpg`,
      `content/${OWNER}/${ITEM}.jpg`,
      `content/${OWNER}/01/${ITEM}.jpg/x`,
      `content/${OWNER}/01/${ITEM}.tar.gz`,
      `content/${OWNER}/01/${ITEM}~${SHA256.slice(1)}.jpg`,
      `content/${OWNER}/01/${ITEM}~.jpg`,
      `other/${OWNER}/01/${ITEM}.jpg`,
      `content/../01/${ITEM}.jpg`,
      `/content/${OWNER}/01/${ITEM}.jpg`,
      `content/${OWNER}/01/.${ITEM}.jpg`,
    ]
  ) assert.equal(parsePublicPath(path, 2), null, path);
});

Deno.test("the skeleton has parents before children, and is told from what workers make", () => {
  for (const format of FORMATS) {
    const layout = ObjectLayout.of(format), seen = new Set([""]);
    for (const { path } of layout.skeleton) {
      assert.ok(seen.has(path.split("/").slice(0, -1).join("/")), path);
      assert.ok(isSkeleton(path));
      seen.add(path);
    }
    assert.equal(layout.directories.length, { 1: 256, 2: 4096 }[format]);
    assert.ok(layout.isDirectory(layout.directoryOf(SHA256)));
    assert.ok(!layout.isDirectory(`${layout.directoryOf(SHA256)}0`));
  }
  assert.ok(isSkeleton(""));
  assert.ok(!isSkeleton(`content/${OWNER}`));
  assert.ok(!isSkeleton(`content/${OWNER}/01`));
});

Deno.test("a root must be absolute, plain, without a comma, and not the whole machine", () => {
  for (const fit of ["/srv/omoide", "/a", "/mnt/hot disk", "/mnt/..hidden", "/mnt/写真"]) {
    assert.equal(unfitRoot(fit), null, fit);
  }
  for (
    const unfit of [
      "",
      "srv",
      "./srv",
      "/",
      "//",
      "/srv/",
      "/srv//x",
      "/srv/../x",
      "/srv/.",
      "/a,b",
      "/a\n",
    ]
  ) assert.match(unfitRoot(unfit) ?? "", /^root .+; (give|rename)/, unfit);
});
