/** Tests of the inbox on the oldest and the newest PostgreSQL, each on a database of its own. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { Connection } from "../../../src/inbox/connect.ts";
import { sqlstateOf } from "../../../src/inbox/server_error.ts";
import { SCHEMA_VERSION } from "../../../src/inbox/schema_version.ts";
import {
  IDENTITIES,
  makeInbox,
  type ServerKind,
  startServer,
  type TestInbox,
  type TestPostgres,
  VERSIONS,
} from "../../support/postgres.ts";

const servers = new Map<ServerKind, Promise<TestPostgres>>();

/** This file's server of that kind; started by the first test that needs it. */
function serverOf(kind: ServerKind): Promise<TestPostgres> {
  let server = servers.get(kind);
  if (server === undefined) {
    server = startServer(kind);
    servers.set(kind, server);
  }
  return server;
}

Deno.test.afterAll(async () => {
  for (const server of servers.values()) await (await server).stop();
});

/** One test, once on each kind of server. The servers outlive it, so it is not asked for leaks. */
export function serverTest(
  sentence: string,
  body: (server: TestPostgres) => Promise<void>,
  kinds: readonly ServerKind[] = VERSIONS,
): void {
  for (const kind of kinds) {
    Deno.test({
      name: `${sentence} (${kind === "Debian's" ? "Debian's PostgreSQL" : `PostgreSQL ${kind}`})`,
      sanitizeOps: false,
      sanitizeResources: false,
      fn: async () => await body(await serverOf(kind)),
    });
  }
}

type InboxTest = (sentence: string, body: (inbox: TestInbox) => Promise<void>) => void;

/** Makes tests that are each given an empty inbox with the storages hot and cold, on these servers. */
export function inboxTestOn(kinds: readonly ServerKind[]): InboxTest {
  return (sentence, body) =>
    serverTest(sentence, async (server) => {
      const inbox = await makeInbox(server);
      try {
        await body(inbox);
      } finally {
        await inbox.admin.query(
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity " +
            "WHERE datname = current_database() AND pid <> pg_backend_pid()",
        );
        await inbox.admin.end();
      }
    }, kinds);
}

/** One test on an empty inbox with the storages hot and cold, on the oldest and the newest PostgreSQL. */
export const inboxTest: InboxTest = inboxTestOn(VERSIONS);

/** Fails unless the statement is refused with that SQLSTATE, and with that message where one is given. */
export async function refused(
  connection: Connection,
  sqlstate: string,
  text: string,
  values: unknown[] = [],
  message?: RegExp,
): Promise<void> {
  let error: unknown;
  try {
    await connection.query(text, values);
  } catch (caught) {
    error = caught;
  }
  assert.ok(error !== undefined, `${text} was not refused`);
  assert.equal(sqlstateOf(error), sqlstate, `${text}: ${error}`);
  if (message !== undefined) assert.match(String(error), message);
}

/** The rows of a statement. */
export async function rowsOf<Row extends Record<string, unknown>>(
  connection: Connection,
  text: string,
  values: unknown[] = [],
): Promise<Row[]> {
  return (await connection.query<Row>(text, values)).rows;
}

/** The only column of the only row. */
export async function valueOf(
  connection: Connection,
  text: string,
  values: unknown[] = [],
): Promise<unknown> {
  const [row] = await rowsOf(connection, text, values);
  assert.ok(row !== undefined, `${text} gave no row`);
  return Object.values(row)[0];
}

export function sha256(bytes: Uint8Array | string): Uint8Array {
  return createHash("sha256").update(bytes).digest();
}

/** Submits some content as a new item; returns the media's id. */
export async function submit(
  app: Connection,
  content: Uint8Array | string = "a picture",
  owner: string = crypto.randomUUID(),
  item: string = crypto.randomUUID(),
  mediaType = "content",
  ext = "jpg",
): Promise<string> {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  return await valueOf(app, "SELECT omoide.submit_media($1, $2, $3, $4, $5)", [
    owner,
    item,
    mediaType,
    ext,
    bytes,
  ]) as string;
}

/** Until a statement of another session waits for what is locked; fails if it ends without. */
export async function untilItWaits(
  { admin }: Pick<TestInbox, "admin">,
  statement: Promise<unknown>,
): Promise<void> {
  let isOver = false;
  const end = () => isOver = true;
  statement.then(end, end);
  const waits = "SELECT EXISTS (SELECT FROM pg_stat_activity " +
    "WHERE datname = current_database() AND wait_event_type = 'Lock')";
  while (await valueOf(admin, waits) === false) assert.ok(!isOver, "it waited for nobody");
}

/** The identity of the storage whose role this is. */
export async function identityOf(worker: Connection): Promise<string> {
  const name = await valueOf(worker, "SELECT replace(session_user, 'omoide_', '')");
  const identity = Object.entries(IDENTITIES).find((entry) => entry[0] === name)?.[1];
  assert.ok(identity !== undefined, `no identity of ${name}`);
  return identity;
}

/** Takes the storage whose role this is; returns the life that its session has. */
export async function take(worker: Connection): Promise<string> {
  const values = [SCHEMA_VERSION, await identityOf(worker)];
  return await valueOf(
    worker,
    "SELECT life FROM omoide.take_storage($1, replace(session_user, 'omoide_', ''), $2)",
    values,
  ) as string;
}

/** Acknowledges as `stored` what `content` says; returns the results by id. */
export async function acknowledge(
  worker: Connection,
  ids: string[],
  content: Uint8Array | string = "a picture",
  identity?: string,
): Promise<string[]> {
  const size = new TextEncoder().encode(String(content)).length;
  const rows = await rowsOf<{ result: string }>(
    worker,
    "SELECT result FROM omoide.acknowledge($1, $2, $3, $4, $5, $6)",
    [
      identity ?? await identityOf(worker),
      ids,
      ids.map(() => sha256(content)),
      ids.map(() => typeof content === "string" ? size : content.length),
      ids.map(() => "stored"),
      ids.map(() => null),
    ],
  );
  return rows.map(({ result }) => result);
}

export async function release(worker: Connection, ids: string[]): Promise<number> {
  return Number(await valueOf(worker, "SELECT omoide.release($1)", [ids]));
}

export async function pendingIds(worker: Connection, after = "0", limit = 1024): Promise<string[]> {
  const rows = await rowsOf<{ media_id: string }>(
    worker,
    "SELECT media_id FROM omoide.pending($1, $2)",
    [after, limit],
  );
  return rows.map(({ media_id }) => media_id);
}
