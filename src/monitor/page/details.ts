import { DETAILS, type Details } from "../../inbox/status/details.ts";
import { FIXES } from "../../verdict/fixes.ts";
import { type Html, html, prose } from "./html.ts";
import { ago } from "./storages.ts";

/** What looks have found wrong, one by one. */
export function findingTable(details: Details | null): Html {
  if (details === null) return html`<p>The database does not say.</p>`;
  const { findings } = details;
  if (findings.length === 0) return html`<p class="quiet">None.</p>`;
  return html`
    <table class="cards">
      <thead>
        <tr>
          <th scope="col">storage</th>
          <th scope="col">finding</th>
          <th scope="col">found</th>
          <th scope="col">what helps</th>
        </tr>
      </thead>
      <tbody>${findings.map(({ storage, kind, path, detail, age }) =>
        html`
          <tr>
            <th scope="row">${storage}</th>
            <td><strong>${kind}</strong> <code>${path}</code> ${prose(detail)}</td>
            <td><span class="label">since</span><span>${ago(age)}</span></td>
            <td><span class="label">what helps</span><span>${prose(FIXES[kind])}</span></td>
          </tr>
        `
      )}</tbody>
    </table>${more(findings.length)}
  `;
}

/** What workers have given up on. */
export function parkedTable(details: Details | null): Html {
  if (details === null) return html`<p>The database does not say.</p>`;
  const { parked } = details;
  if (parked.length === 0) return html`<p class="quiet">None.</p>`;
  return html`
    <p>When the reason is gone, ${prose("`inbox retry`")} has the workers try again.</p>
    <table class="cards">
      <thead>
        <tr>
          <th scope="col">media</th>
          <th scope="col">what</th>
          <th scope="col">given up</th>
          <th scope="col">reason</th>
        </tr>
      </thead>
      <tbody>${parked.map(({ storage, mediaId, owner, item, mediaType, reason, age }) =>
        html`
          <tr>
            <th scope="row">${storage}: media ${mediaId}</th>
            <td>${mediaType} of <code>${item}</code>, owner <code>${owner}</code></td>
            <td><span class="label">since</span><span>${ago(age)}</span></td>
            <td><span class="label">reason</span><span>${reason}</span></td>
          </tr>
        `
      )}</tbody>
    </table>${more(parked.length)}
  `;
}

function more(shown: number): Html | null {
  return shown < DETAILS ? null : html`<p class="quiet">These are the first ${DETAILS}.</p>`;
}
