/** The version of this program, as the heartbeat and `--version` show it. */
export const VERSION = "0.1.0";
