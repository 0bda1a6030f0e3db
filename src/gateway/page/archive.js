/** The owner's items, newest first, as they stand in the archive. */
import { getJson } from "./api.js";
import { extensionOf } from "./upload.js";
import { parkedText } from "./row.js";
import { showDay, shownName } from "./words.js";

const PAGE = 60;
const template = document.querySelector("#item");

export class Archive {
  #owner;
  #page;
  #items = new Map();
  #oldest = null;

  /** @param page { list, none, more } */
  constructor(owner, page) {
    this.#owner = owner;
    this.#page = page;
    page.more.onclick = () => this.#loadOlder();
  }

  async load() {
    await this.#loadOlder();
  }

  async #loadOlder() {
    const before = this.#oldest === null ? "" : `&before=${this.#oldest}`;
    const items = await getJson(`/media/${this.#owner}?limit=${PAGE}${before}`);
    for (const item of items) this.show(item);
    this.#oldest = items.at(-1)?.seq ?? this.#oldest;
    this.#page.more.hidden = items.length < PAGE;
    this.#page.none.hidden = this.#items.size > 0;
  }

  /** Shows an item, or how it stands now. */
  show(item) {
    const content = item.files.findLast(({ media_type }) => media_type === "content");
    // Opened and not finished yet: a row above shows it.
    if (content === undefined) return;
    let shown = this.#items.get(item.item);
    if (shown === undefined) {
      shown = {
        seq: item.seq,
        element: template.content.firstElementChild.cloneNode(true),
        look: "",
      };
      this.#items.set(item.item, shown);
      this.#place(shown);
    }
    const look = JSON.stringify(item);
    if (shown.look === look) return;
    shown.look = look;
    this.#draw(shown.element, item, content);
    this.#page.none.hidden = true;
  }

  /** Newest first, wherever it came from. */
  #place(shown) {
    const later = [...this.#items.values()].filter(({ seq }) => seq < shown.seq)
      .sort((a, b) => b.seq - a.seq)[0];
    this.#page.list.insertBefore(shown.element, later?.element ?? null);
  }

  #draw(element, item, content) {
    const link = element.querySelector("a");
    const small = item.files.findLast(({ media_type, is_served }) =>
      media_type === "thumbnail" && is_served
    );
    const ext = extensionOf(`.${content.ext}`).toUpperCase();
    if (content.is_served) link.href = `/${content.path}`;
    else link.removeAttribute("href");
    const name = shownName(item.file_name);
    link.setAttribute("aria-label", content.is_served ? `Open ${name}` : name);
    if (small === undefined) link.replaceChildren(iconOf(ext));
    else if (link.querySelector("img")?.getAttribute("src") !== `/${small.path}`) {
      const image = new Image();
      image.alt = "";
      image.loading = "lazy";
      image.decoding = "async";
      image.onerror = () => link.replaceChildren(iconOf(ext));
      image.src = `/${small.path}`;
      link.replaceChildren(image);
    }
    element.querySelector(".item-name").textContent = name;
    const state = element.querySelector(".item-state");
    const parked = content.parked_in.length > 0;
    state.textContent = parked
      ? parkedText(content)
      : `${showDay(item.last_modified ?? item.recorded_at)} · ${stateOf(content)}`;
    element.dataset.kind = parked ? "parked" : content.released_at === null ? "received" : "safe";
  }
}

function stateOf({ released_at, stored_in }) {
  if (released_at !== null) return "safe";
  return stored_in.length === 0 ? "received" : `in ${stored_in.join(" and ")}`;
}

function iconOf(ext) {
  const icon = document.createElement("span");
  icon.className = "icon";
  icon.textContent = ext;
  return icon;
}
