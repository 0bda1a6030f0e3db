/** The page: logs in, then puts together what is on its way and what the archive has. */
import { getJson, Refused, send } from "./api.js";
import { Archive } from "./archive.js";
import { listenForFiles } from "./picking.js";
import { Queue } from "./queue.js";
import { count } from "./words.js";

const $ = (id) => document.getElementById(id);
let queue = null;
let archive = null;
let events = null;

/** Of a page that was in use until now. */
const REVOKED =
  "This token is no longer valid. Open the archive with another one: what has come in is kept.";

const ANOTHERS =
  "This link is for another archive than the one that is open in this browser. Open it only if it is " +
  "yours: what you add goes there.";

async function start() {
  listenForFiles((files) => queue?.add(files));
  $("log-in-form").addEventListener("submit", (event) => {
    event.preventDefault();
    logIn($("token").value.trim());
  });
  $("log-out").addEventListener("click", logOut);
  $("stay").addEventListener("click", () => location.reload());
  // `deno task demo --serve` gives its token with the address. What follows # is sent to no server.
  const [, token] = /^#token=([\w-]+)$/.exec(location.hash) ?? [];
  if (token !== undefined) {
    history.replaceState(null, "", "/");
    if (await isAnothers(token)) offerToken(token);
    else await logIn(token);
    return;
  }
  await enter();
}

/** Whether a token is of another archive than the one that this browser has open. */
async function isAnothers(token) {
  try {
    const { owner } = await getJson("/session");
    const headers = { authorization: `Bearer ${token}` };
    return JSON.parse((await send("GET", "/session", { headers })).text).owner !== owner;
  } catch {
    // None is open, or the token is not known, which logging in will say.
    return false;
  }
}

/** A link can be anybody's: whoever is led into the sender's archive would add their own pictures to it. */
function offerToken(token) {
  showLogIn(ANOTHERS);
  $("token").value = token;
  $("stay").hidden = false;
}

async function logIn(token) {
  $("stay").hidden = true;

  $("token-error").textContent = "";
  try {
    await send("POST", "/session", { body: JSON.stringify({ token }) });
    $("token").value = "";
    await enter();
    $("main").querySelector("[data-picks]")?.focus();
  } catch (error) {
    showLogIn(error.message);
  }
}

async function logOut() {
  const open = queue?.unfinished ?? 0;
  if (open > 0 && !confirm(`${count(open, "file")} to upload will be forgotten here. Log out?`)) {
    return;
  }
  try {
    await send("DELETE", "/session");
  } catch (error) {
    showTrouble(`${error.message}: you are still logged in`);
    return;
  }
  // The next one at this device may be another.
  await queue?.forget();
  location.reload();
}

async function enter() {
  let owner;
  try {
    ({ owner } = await getJson("/session"));
  } catch (error) {
    if (error instanceof Refused && error.status === 401) showLogIn(queue === null ? "" : REVOKED);
    else {
      showTrouble(`${error.message}: trying again`);
      setTimeout(enter, 3000);
    }
    return;
  }
  showTrouble("");
  $("log-in").hidden = true;
  $("archive").hidden = $("log-out").hidden = false;
  if (queue !== null) {
    // Another owner's token: nothing of the one before may stay.
    if (queue.owner !== owner) return location.reload();
    queue.restart();
    listen();
    return;
  }
  queue = new Queue(owner, {
    rows: $("rows"),
    unfold: $("unfold"),
    section: $("uploads"),
    summary: $("summary"),
    clear: $("clear"),
    onLoggedOut: () => showLogIn(REVOKED),
    onReceived: (item) => showItem(owner, item),
    // The button is gone, and the keyboard's focus would be with it.
    onCleared: () => ($("uploads").hidden ? $("add-title") : $("uploads-title")).focus(),
  });
  archive = new Archive(owner, { list: $("items"), none: $("no-items"), more: $("more") });
  await Promise.all([queue.restore(), archive.load().catch((error) => showTrouble(error.message))]);
  listen();
}

/** A row need not wait for the next event. */
async function showItem(owner, item) {
  try {
    queue.showItem({ item, files: await getJson(`/media/${owner}/${item}`) });
  } catch {
    // The events say it, a second later.
  }
}

function listen() {
  events?.close();
  events = new EventSource("/events");
  events.addEventListener("item", ({ data }) => {
    const item = JSON.parse(data);
    archive.show(item);
    queue.showItem(item);
    showTrouble("");
  });
  events.addEventListener(
    "trouble",
    ({ data }) => showTrouble(`${JSON.parse(data)}: trying again`),
  );
  events.addEventListener("revoked", () => showLogIn(REVOKED));
  events.onopen = () => showTrouble("");
  events.onerror = () => {
    // It tries again by itself, unless the answer was no.
    if (events.readyState !== EventSource.CLOSED) return;
    setTimeout(enter, 3000);
  };
}

/** @param reason why, if it is not the first time */
function showLogIn(reason) {
  events?.close();
  showTrouble("");
  $("log-in").hidden = false;
  $("archive").hidden = $("log-out").hidden = true;
  $("token-error").textContent = reason;
  $("token").focus();
}

function showTrouble(text) {
  const trouble = $("trouble");
  if (trouble.textContent !== text) trouble.textContent = text;
  trouble.hidden = text === "";
}

await start();
