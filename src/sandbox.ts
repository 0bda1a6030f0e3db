/** What a worker may reach: one database, one root, and up to two files to read. */
export interface SandboxNeeds {
  /** Absolute real path of the storage's root; contains no comma. */
  readonly root: string;
  readonly database: { readonly host: string; readonly port: number };
  readonly passwordFile?: string;
  readonly caFile?: string;
}

/**
 * The permission flags of a worker. The launcher, the compiled binary, the demo and the tests all take
 * them from here, so there is no second list that could be wider.
 */
export function permissionFlags(needs: SandboxNeeds): string[] {
  const host = needs.database.host.includes(":") ? `[${needs.database.host}]` : needs.database.host;
  const readable = [needs.root, needs.passwordFile, needs.caFile].filter((path) =>
    path !== undefined
  );
  return [
    "--no-prompt",
    "--ignore-env",
    "--no-remote",
    "--cached-only",
    `--allow-net=${host}:${needs.database.port}`,
    `--allow-read=${readable.join(",")}`,
    `--allow-write=${needs.root}`,
    "--allow-sys=statfs,uid",
  ];
}
