import { DETAILS, type Details } from "../../inbox/status/details.ts";
import { FIXES } from "../../verdict/fixes.ts";
import { card, cards, type Html, html, prose } from "./html.ts";
import { ago } from "./storages.ts";

/** What looks have found wrong, one by one. */
export function findingTable(details: Details | null): Html {
  if (details === null) return html`<p>The database does not say.</p>`;
  const { findings } = details;
  if (findings.length === 0) return html`<p class="quiet">None.</p>`;
  const rows = findings.map(({ storage, kind, path, detail, age }) =>
    html`
      <tr>
        <th scope="row">${storage}</th>
        <td><strong>${kind}</strong> <code>${path}</code> ${prose(detail)}</td>
        ${card("since", ago(age))}
        ${card("what helps", prose(FIXES[kind]))}
      </tr>
    `
  );
  return html`${cards(["storage", "finding", "found", "what helps"], rows)}${
    more(findings.length)
  }`;
}

/** What workers have given up on. */
export function parkedTable(details: Details | null): Html {
  if (details === null) return html`<p>The database does not say.</p>`;
  const { parked } = details;
  if (parked.length === 0) return html`<p class="quiet">None.</p>`;
  const rows = parked.map(({ storage, mediaId, owner, item, mediaType, reason, age }) =>
    html`
      <tr>
        <th scope="row">${storage}: media ${mediaId}</th>
        <td>${mediaType} of <code>${item}</code>, owner <code>${owner}</code></td>
        ${card("since", ago(age))}
        ${card("reason", reason)}
      </tr>
    `
  );
  return html`
    <p>When the reason is gone, ${prose("`inbox retry`")} has the workers try again.</p>
    ${cards(["media", "what", "given up", "reason"], rows)}${more(parked.length)}
  `;
}

function more(shown: number): Html | null {
  return shown < DETAILS ? null : html`<p class="quiet">These are the first ${DETAILS}.</p>`;
}
