import { integer } from "../../command_line.ts";
import { defined } from "../../defined.ts";
import { EXIT } from "../../exit_codes.ts";
import { openInbox } from "../../inbox/admin/inbox.ts";
import { readPasswordFile } from "../../storage/credential_file.ts";
import { count } from "../../units.ts";
import { DATABASE, treeCommand } from "../command.ts";
import { DEFAULT_PREFIX_SIZE, initStorage, LARGE } from "../init_storage.ts";
import { ACCEPT, lookAtMount } from "../look_at_mount.ts";
import type { MountFound } from "../../storage/admin/note_mount.ts";
import { showAcceptance } from "../../storage/mounted.ts";

interface Options {
  readonly database: string;
  readonly passwordFile?: string;
  readonly scrubPasswordFile?: string;
  readonly prefixSize?: number;
  readonly large?: boolean;
  readonly accept?: string;
}

interface Prepared {
  /** The roles' new passwords. */
  readonly password?: string;
  readonly scrubPassword?: string;
  readonly mounted?: MountFound;
}

export const storageInit = treeCommand<Options, Prepared>({
  usage: "init <name> <root>",
  summary: "make a directory a storage and register it",
  description:
    "Makes the root's skeleton and identity, registers the storage, and creates its worker's role, " +
    "omoide_NAME (omoide_INBOX_NAME, if the inbox has a name). What is still in the inbox is owed to it " +
    "from now on. Safe to rerun: it finishes what an interrupted run began. Run as root, everything it " +
    "makes belongs to " +
    "the owner of ROOT, who is the worker's user: make ROOT for that user first.",
  options: [
    DATABASE,
    ["--password-file <file>", "the role's new password; without it, the role keeps its own"],
    ["--scrub-password-file <file>", "likewise of its scrub's role, omoide_NAME_scrub"],
    [
      "--prefix-size <n>",
      `leading characters of the item that name its directory, 1 to 8 (default: ${DEFAULT_PREFIX_SIZE})`,
      integer(1, 8),
    ],
    LARGE,
    ACCEPT,
  ],
  examples: [
    "install -d -o omoide-hot -g www-data -m 0750 /srv/omoide/hot",
    "omoide-admin storage init hot /srv/omoide/hot --password-file hot.password \\",
    "  --database postgres://postgres@localhost/omoide",
  ],
  exits: {
    [EXIT.CONFIGURATION]:
      "a name, root or role that cannot be used: taken, not empty, another storage's, or on a file " +
      "system to be accepted",
  },
  need: "change",
  tree: ([, root = ""]) => root,
  makesTree: true,
  prepare: ([, root = ""], { passwordFile, scrubPasswordFile, accept }) => ({
    ...lookAtMount(root, accept),
    ...defined({
      password: readPasswordFile(passwordFile),
      scrubPassword: readPasswordFile(scrubPasswordFile),
    }),
  }),
  run: async ([name = ""], { database, prefixSize, large }, { console, path: root }, prepared) => {
    await using inbox = await openInbox(database);
    const { identity, role, created, owed } = await initStorage(inbox, {
      name,
      root,
      ...defined({ prefixSize }),
      large: large === true,
      ...prepared,
    });
    console.result({ ...identity, root, role, created, owed });
    console.say(
      `${root} is the storage ${name} (${identity.uuid}), ` +
        `${created ? "registered now" : "which was registered already"}; its worker is ${role}.`,
    );
    const accepted = showAcceptance(identity);
    if (accepted !== null) console.say(`Note: ${root} is on ${accepted}.`);
    if (owed > 0) console.say(`It is owed ${count(owed, "media", "media")} from the inbox.`);
    const { uid } = Deno.lstatSync(root);
    if (uid === 0) {
      console.say(
        `Note: ${root} belongs to root; chown -R it to the user that the worker runs as.`,
      );
    }
    return EXIT.OK;
  },
});
