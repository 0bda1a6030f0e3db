/**
 * How the roles of an inbox are called. Roles are one namespace for a whole PostgreSQL cluster, so a second
 * inbox in it has a name, which all its roles carry: `omoide_tokyo_app` beside `omoide_app`. Nothing else
 * composes such a name; in SQL it is `omoide.role_of` and `omoide.scrub_role`.
 *
 * Names of inboxes and storages have no underscore, so a role's name says whose it is:
 *
 * | role                       | inbox without a name      | inbox `tokyo`                   |
 * | -------------------------- | ------------------------- | ------------------------------- |
 * | owner, app, monitor        | `omoide_app`              | `omoide_tokyo_app`              |
 * | the worker of a storage    | `omoide_hot`              | `omoide_tokyo_hot`              |
 * | its scrub                  | `omoide_hot_scrub`        | `omoide_tokyo_hot_scrub`        |
 *
 * The one name of two meanings would be `omoide_hot_scrub`, as the worker of a storage `scrub` in an inbox
 * `hot`: so no storage of an inbox with a name is called `scrub`.
 */

/** 7 + 18 + 1 + 31 + 6: the longest storage's scrub has a role of 63 bytes, more than which are cut off. */
const INBOX_NAME = /^[a-z][a-z0-9]{0,17}$/;

/** Whether an inbox may be called so. The empty name is that of an inbox without one. */
export function isInboxName(text: string): boolean {
  return text === "" || INBOX_NAME.test(text);
}

/** The role of `owner`, `app`, `monitor`, or of a storage's worker by the storage's name. */
export function roleOf(who: string, inboxName = ""): string {
  return `omoide_${inboxName === "" ? "" : `${inboxName}_`}${who}`;
}

/** The role of a storage's scrub, beside its worker's. */
export function scrubRole(workerRole: string): string {
  return `${workerRole}_scrub`;
}
