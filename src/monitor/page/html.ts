import { visible } from "../../terminal.ts";

/** A piece of a page, safe to be put into another. */
export class Html {
  constructor(readonly text: string) {}
}

type Part = string | number | Html | null | readonly Part[];

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/**
 * Puts a piece of a page together. Whatever is no `Html` is text that somebody may have written to do harm:
 * it becomes text, one line of it, with nothing in it that hides or turns around what stands beside it.
 */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return new Html(strings.map((string, i) => string + textOf(parts[i] ?? null)).join(""));
}

function textOf(part: Part): string {
  if (part === null) return "";
  if (part instanceof Html) return part.text;
  if (typeof part === "object") return part.map(textOf).join("");
  return visible(String(part)).replace(/[&<>"']/g, (character) => ENTITIES[character] ?? "");
}

/** A table whose rows become blocks on a phone. */
export function cards(columns: readonly string[], rows: readonly Html[]): Html {
  return html`
    <table class="cards">
      <thead>
        <tr>${columns.map((name) => html`<th scope="col">${name}</th>`)}</tr>
      </thead>
      <tbody>${rows}</tbody>
    </table>
  `;
}

/** One of its cells, with its column's name for where that has no head. */
export function card(label: string, content: Part): Html {
  return html`<td><span class="label">${label}</span><span>${content}</span></td>`;
}

/** A sentence in which commands stand between backquotes. */
export function prose(text: string): Html {
  const pieces = text.split("`");
  // One that has no partner is a backquote.
  if (pieces.length % 2 === 0) return html`${text}`;
  return html`${pieces.map((piece, i) => i % 2 === 0 ? piece : html`<code>${piece}</code>`)}`;
}
