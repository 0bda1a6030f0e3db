import { type History, type HistoryPoint, REACH, STEPS } from "../../inbox/status/history.ts";
import { showBytes } from "../../units.ts";
import { chart, type Series } from "./chart.ts";
import { type Html, html } from "./html.ts";

const HOUR = 3600;

/** Throughput, backlog and free space over time. @param now seconds since the epoch */
export function charts(history: History | null, now: number): Html {
  if (history === null) return html`<p>The database does not say how it was.</p>`;
  const recent = {
    ...{ from: now - REACH.recent, to: now, step: STEPS.recent, rowStep: HOUR },
    showTime: (at: number) => iso(at).slice(5, 16).replace("T", " "),
  };
  const firstDay = Math.min(...history.year.map(({ at }) => at), now - 14 * 86_400);
  return html`<div class="charts">${[
    chart({
      ...recent,
      id: "throughput",
      title: "Stored per second, the last two days",
      series: seriesOf(history.recent, ({ bytes }) => bytes / STEPS.recent),
      show: (value) => `${showBytes(value)}/s`,
      sum: mean,
    }),
    chart({
      ...recent,
      id: "backlog",
      title: "Owed, the last two days",
      series: seriesOf(history.recent, ({ owed }) => owed),
      show: (value) => `${Math.round(value).toLocaleString("en-US")} media`,
      sum: (values) => Math.max(...values),
    }),
    chart({
      id: "free",
      title: "Free space, the last year",
      series: seriesOf(history.year, ({ freeBytes }) => freeBytes),
      ...{ from: firstDay, to: now, step: STEPS.year, rowStep: STEPS.year },
      showTime: (at) => iso(at).slice(0, 10),
      show: showBytes,
      sum: (values) => Math.min(...values),
    }),
  ]}</div>`;
}

function seriesOf(
  points: readonly HistoryPoint[],
  value: (point: HistoryPoint) => number | null,
): Series[] {
  return [...Map.groupBy(points, ({ storage }) => storage)].map(([name, own]) => ({
    name,
    points: own.map((point) => [point.at, value(point)] as const),
  }));
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function iso(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}
