import { EXIT } from "../exit_codes.ts";

/** The exit statuses as `--help` lists them; the README's table says the same. */
export const EXIT_HELP = `
Exit statuses:
  ${EXIT.OK}  done, or stopped by SIGTERM or SIGINT with all open work finished
  ${EXIT.UNEXPECTED}  unexpected error: try again, report it
  ${EXIT.USAGE}  the command line is wrong
  ${EXIT.TRY_AGAIN}  try again: the database is out of reach, the disk is full, another worker has the storage
  ${EXIT.CONFIGURATION}  an administrator must act: permissions, root, identity, role, password, schema
  ${EXIT.DISTRUSTED}  an administrator must act: a disk failed and the storage is distrusted
  ${EXIT.INCOMPLETE}  --once: some media could not be stored; the rest is

Signals:
  SIGTERM, SIGINT  finish what is open, acknowledge it, exit; a second one leaves at once
  SIGHUP           look at the inbox now`;
