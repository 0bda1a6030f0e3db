import { basename } from "node:path";
import { answer } from "./answer.ts";

/** As large as the tests together could want. Sparse: what is not written takes no space. */
const BYTES = 64 * 1024 ** 3;

/**
 * Makes an image of an ext4 with a journal for a test run, where its directory lies on one without.
 *
 * Without a journal ext4 passes over each inode that was deleted within the last minute, one by one, at
 * each new file: tests delete thousands (a database is 300 files), and a fifth of all processor time went
 * there. Archives have a journal, so the tests are nearer to them too.
 *
 * `OMOIDE_TESTS_DISK=always` makes one whatever there is, for the tests of this.
 *
 * @returns whether there is one. Without root, or without the tools, there is none: it only saves time.
 */
export async function makeJournaledDisk(image: string, directory: string): Promise<boolean> {
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) return false;
  const always = Deno.env.get("OMOIDE_TESTS_DISK") === "always";
  if (!always && !(await lacksJournal(directory))) return false;
  await using file = await Deno.open(image, { write: true, createNew: true });
  await file.truncate(BYTES);
  const options = [
    "-q",
    "-J",
    "size=128",
    "-E",
    "lazy_itable_init=1,lazy_journal_init=1,nodiscard",
  ];
  if (await answer("mkfs.ext4", ...options, image) !== undefined) return true;
  await Deno.remove(image);
  return false;
}

async function lacksJournal(directory: string): Promise<boolean> {
  const found = await answer("findmnt", "-n", "-o", "FSTYPE,SOURCE", "--target", directory);
  const [type, source = ""] = found?.trim().split(/\s+/) ?? [];
  if (type !== "ext4") return false;
  const name = basename(await Deno.realPath(source).catch(() => source));
  const has = (path: string) => Deno.stat(path).then(() => true, () => false);
  if (!(await has(`/proc/fs/ext4/${name}`))) return false;
  const journals = await Array.fromAsync(Deno.readDir("/proc/fs/jbd2")).catch(() => []);
  return !journals.some((journal) => journal.name.startsWith(`${name}-`));
}
