/** The signals that interrupt a run, and what it then ends with, as a shell would say it. */
export const INTERRUPTIONS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
