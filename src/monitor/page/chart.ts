import { type Html, html } from "./html.ts";

/** Values of one storage over time. */
export interface Series {
  readonly name: string;
  /** Time in seconds since the epoch, and the value; null where there is none. */
  readonly points: readonly (readonly [at: number, value: number | null])[];
}

export interface Chart {
  readonly id: string;
  readonly title: string;
  readonly series: readonly Series[];
  /** Seconds since the epoch. */
  readonly from: number;
  readonly to: number;
  /** Seconds between two points; more is a gap. */
  readonly step: number;
  readonly show: (value: number) => string;
  readonly showTime: (at: number) => string;
  /** Seconds that a row of the table stands for, and how it sums up the points in it. */
  readonly rowStep: number;
  readonly sum: (values: readonly number[]) => number;
}

const WIDTH = 640, HEIGHT = 180, LEFT = 4, TOP = 22, BOTTOM = 22;
const COLOURS = 6;

/** A chart, and the same numbers as a table for whoever cannot see it or wants to know more. */
export function chart(given: Chart): Html {
  const { id, title, series } = given;
  const values = series.flatMap(({ points }) => points.map(([, value]) => value ?? 0));
  if (!values.some((value) => value > 0)) {
    return html`
      <section class="chart">
        <h3>${title}</h3>
        <p class="quiet">Nothing yet.</p>
      </section>
    `;
  }
  const top = Math.max(...values);
  return html`
    <section class="chart">
      <h3 id="${id}">${title}</h3>
      <ul class="legend">${series.map(({ name }, i) =>
        html`<li class="s${i % COLOURS}">${name}</li>`
      )}</ul>
      <svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-labelledby="${id}"
        preserveAspectRatio="none">
        ${grid()}
        ${series.map((each, i) => line(each, i, top, given))}
      </svg>
      <p
        class="axis"><span>${given.showTime(given.from)}</span><span>at most ${given.show(
          top,
        )}</span><span>${given.showTime(given.to)}</span></p>
      <details id="${id}-numbers"><summary>The numbers</summary>${table(given)}</details>
    </section>
  `;
}

function grid(): Html {
  const y = (share: number) => TOP + (HEIGHT - TOP - BOTTOM) * share;
  return html`${
    [0, 0.5, 1].map((share) =>
      html`
        <line class="grid" x1="0" x2="${WIDTH}" y1="${y(share)}" y2="${y(share)}" />
      `
    )
  }`;
}

/** One line, broken where nobody measured. */
function line({ points }: Series, i: number, top: number, { from, to, step }: Chart): Html {
  const x = (at: number) => LEFT + (WIDTH - 2 * LEFT) * (at - from) / Math.max(1, to - from);
  const y = (value: number) => HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / top;
  let path = "", last = -Infinity;
  for (const [at, value] of points) {
    if (value === null) continue;
    const isNext = at - last <= step * 1.5;
    path += `${isNext ? "L" : "M"}${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
    // A point alone is a short stroke, or it would not be seen.
    if (!isNext) path += "h0.1";
    last = at;
  }
  return html`
    <path class="s${i % COLOURS}" d="${path}" />
  `;
}

function table({ title, series, from, to, rowStep, show, showTime, sum }: Chart): Html {
  const starts: number[] = [];
  for (let at = from - from % rowStep; at < to; at += rowStep) starts.unshift(at);
  const cell = ({ points }: Series, start: number) => {
    const values = points.filter(([at]) => at >= start && at < start + rowStep)
      .flatMap(([, value]) => value === null ? [] : [value]);
    return values.length === 0 ? "–" : show(sum(values));
  };
  const rows = starts.map((start) => ({ start, cells: series.map((each) => cell(each, start)) }))
    .filter(({ cells }) => cells.some((text) => text !== "–"));
  return html`
    <div class="scroll" tabindex="0" role="region" aria-label="${title}: the numbers">
      <table>
        <thead>
          <tr><th scope="col">from (UTC)</th>${series.map(({ name }) =>
            html`<th scope="col">${name}</th>`
          )}</tr>
        </thead>
        <tbody>${rows.map(({ start, cells }) =>
          html`<tr><th scope="row">${showTime(start)}</th>${
            cells.map((text) => html`<td>${text}</td>`)
          }</tr>`
        )}</tbody>
      </table>
    </div>
  `;
}
