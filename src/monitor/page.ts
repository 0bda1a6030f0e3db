/** The status page: made by the server as a whole, readable without script, with nothing from elsewhere. */
import type { Details } from "../inbox/status/details.ts";
import type { History } from "../inbox/status/history.ts";
import { messageOf } from "../errors.ts";
import { showDuration } from "../units.ts";
import { lastLooks } from "../verdict/looks.ts";
import { headline } from "../verdict/verdict.ts";
import { VERSION } from "../version.ts";
import { charts } from "./page/charts.ts";
import { findingTable, parkedTable } from "./page/details.ts";
import { type Html, html, prose } from "./page/html.ts";
import icon from "./page/icon.svg" with { type: "text" };
import { inboxTable } from "./page/inbox.ts";
import refresh from "./page/refresh.js" with { type: "text" };
import { storageTable } from "./page/storages.ts";
import style from "./page/style.css" with { type: "text" };
import type { Latest } from "./watch.ts";

/** Nothing runs and nothing is loaded but what comes from here. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** A file that the page refers to. */
class PageFile {
  constructor(private readonly text: string, private readonly type: string) {}

  answer(): Response {
    return new Response(this.text, { headers: { "content-type": `${this.type}; charset=utf-8` } });
  }
}

export const pageFiles: ReadonlyMap<string, PageFile> = new Map([
  ["/icon.svg", new PageFile(icon, "image/svg+xml")],
  ["/style.css", new PageFile(style, "text/css")],
  ["/refresh.js", new PageFile(refresh, "text/javascript")],
]);

export function statusPage(
  latest: Latest,
  details: Details | null,
  history: History | null,
): Response {
  return new Response(pageOf(latest, details, history).text, {
    headers: {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": POLICY,
    },
  });
}

const WORDS = {
  safe: { sign: "✓", title: "Safe" },
  behind: { sign: "…", title: "Behind" },
  attention: { sign: "!", title: "Attention" },
  unknown: { sign: "?", title: "Unknown" },
} as const;

function pageOf(latest: Latest, details: Details | null, history: History | null): Html {
  const { status, verdict, error } = latest;
  const word = error !== null || verdict === null ? "unknown" : verdict.word;
  const { title } = WORDS[word];
  const now = Date.now() / 1000;
  return html`
    <!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <title>${title} – Omoide</title>
        <link rel="stylesheet" href="/style.css">
        <link rel="icon" href="/icon.svg">
        <script src="/refresh.js" defer></script>
        <noscript><meta http-equiv="refresh" content="60"></noscript>
      </head>
      <body>
        <main>
      ${header(latest, word, now)}
      ${status === null ? null : html`
        <section id="storages"><h2>Storages</h2>${storageTable(
          status,
          history,
          latest.counted,
          now,
        )}</section>
        <section id="findings"><h2>Open findings</h2>${findingTable(details)}</section>
        <section id="parked"><h2>Given up on</h2>${parkedTable(details)}</section>
        <section id="inbox"><h2>The inbox against its limits</h2>${inboxTable(status)}</section>
        <section id="history"><h2>How it was</h2>${charts(history, now)}</section>
      `}
        </main>
        <footer>
          <p>Omoide ${VERSION} · <a href="/status.json">status.json</a> ·
      <a href="/metrics">metrics</a></p>
        </footer>
      </body>
    </html>
  `;
}

function header(latest: Latest, word: keyof typeof WORDS, now: number): Html {
  const { status, verdict, counted, age, error } = latest;
  const at = new Date((now - age) * 1000).toISOString().slice(0, 19).replace("T", " ");
  const known = status === null || verdict === null
    ? null
    : { line: headline(status, verdict, counted), looks: lastLooks(status), verdict };
  const items = (list: readonly string[], name: string) =>
    list.length === 0
      ? null
      : html`<ul class="${name}">${list.map((each) => html`<li>${prose(each)}</li>`)}</ul>`;
  return html`
    <header id="verdict" class="${word}">
      <h1><span class="sign" aria-hidden="true">${WORDS[word].sign}</span> ${error === null
        ? known?.line ?? ""
        : "UNKNOWN: the inbox does not answer."}</h1>
      ${error === null ? null : html`<p>${messageOf(error)}</p>`}
      ${error === null
        ? null
        : known === null
        ? html`<p>It has not answered since this monitor started.</p>`
        : html`<p>The last answer, ${showDuration(age)} ago: ${known.line}</p>`}
      ${items(known?.verdict.attention ?? [], "attention")}
      ${items(known?.verdict.behind ?? [], "behind")}
      ${known === null ? null : html`<p>${prose(known.looks)}</p>`}
      ${known === null ? null : html`<p class="quiet">As of ${at} UTC.</p>`}
    </header>
  `;
}
