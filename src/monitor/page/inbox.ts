import type { InboxStatus, Usage } from "../../inbox/status/status.ts";
import { count, showBytes, showDuration } from "../../units.ts";
import { card, cards, type Html, html } from "./html.ts";

interface Use {
  readonly what: string;
  readonly used: number;
  readonly limit: number;
  readonly show: (value: number) => string;
}

/** The inbox against its limits. */
export function inboxTable(status: InboxStatus): Html {
  const media = (n: number) => count(n, "media", "media");
  const uses: Use[] = [
    { what: "waiting in the inbox", used: status.bytes, limit: status.bytesLimit, show: showBytes },
    {
      ...{ what: "the inbox's files", used: status.diskBytes, limit: status.diskBytesLimit },
      show: showBytes,
    },
    ...status.usage.filter(isNoted).flatMap(
      ({ owner, bytes, bytesLimit, media: n, mediaLimit }) => {
        const who = owner === null ? "all owners today" : `owner ${owner} today`;
        return [
          { what: `${who}: bytes`, used: bytes, limit: bytesLimit, show: showBytes },
          { what: `${who}: media`, used: n, limit: mediaLimit, show: media },
        ];
      },
    ),
  ];
  return html`
    ${cards(["what", "used", "of", "share"], uses.map(row))}
    <p class="quiet">${media(status.media)} waiting, in ${count(
      status.generations.length,
      "generation",
    )}; ${status.oldestSnapshotAge === null
      ? "no transaction is open"
      : `the oldest open transaction is ${showDuration(status.oldestSnapshotAge)} old`}.</p>
  `;
}

/** All owners together, and those that have used a tenth of what they may. */
function isNoted({ owner, bytes, bytesLimit, media, mediaLimit }: Usage): boolean {
  return owner === null || bytes > bytesLimit / 10 || media > mediaLimit / 10;
}

function row({ what, used, limit, show }: Use): Html {
  const share = limit === 0 ? 1 : Math.min(1, used / limit);
  const meter = html`<meter min="0" max="1" high="0.8" value="${
    share.toFixed(3)
  }" aria-label="${what}"></meter>`;
  return html`
    <tr>
      <th scope="row">${what}</th>
      ${card("used", show(used))}
      ${card("of", show(limit))}
      ${card("share", html`${meter} ${Math.round(share * 100)} %`)}
    </tr>
  `;
}
