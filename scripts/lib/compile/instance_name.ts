import { roleOf } from "../../../src/inbox/role_names.ts";

/**
 * What a storage's binaries and units are called on its machine: `hot`, or `tokyo-hot` if the inbox has a
 * name, so that storages of two inboxes can be on one machine. Read from the role that is baked in; any
 * other role than the inbox's own says nothing.
 */
export function instanceName(storage: string, role: string): string {
  const inboxName = role.split("_")[1] ?? "";
  return roleOf(storage, inboxName) === role.replace(/_scrub$/, "")
    ? `${inboxName}-${storage}`
    : storage;
}
