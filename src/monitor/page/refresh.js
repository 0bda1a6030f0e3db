// Keeps the page as fresh as the database is: a part that has changed takes the place of the old one.
const EVERY_MS = 15_000;

async function refresh() {
  if (document.hidden) return;
  let fresh;
  try {
    const response = await fetch("/", { headers: { accept: "text/html" } });
    if (!response.ok) throw new Error(String(response.status));
    fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  } catch {
    document.body.classList.add("stale");
    return;
  }
  document.body.classList.remove("stale");
  document.title = fresh.title;
  const main = document.querySelector("main"), freshMain = fresh.querySelector("main");
  // The first answer of a database that had given none brings all the rest.
  if (main.children.length !== freshMain.children.length) main.replaceWith(freshMain);
  else for (const part of [...freshMain.children]) replace(part);
}

function replace(part) {
  const old = document.getElementById(part.id);
  // What somebody has opened, or is in with the keyboard, stays as it is.
  if (old === null || old.contains(document.activeElement)) return;
  for (const { id } of old.querySelectorAll("details[open]")) {
    part.querySelector(`#${CSS.escape(id)}`)?.setAttribute("open", "");
  }
  if (old.outerHTML !== part.outerHTML) old.replaceWith(part);
}

setInterval(refresh, EVERY_MS);
document.addEventListener("visibilitychange", refresh);
