/** One file on its way, as a row: its name, how far it is, what it waits for, what can be done. */
import { showBytes, shownName, showSeconds } from "./words.js";

const template = document.querySelector("#row");

export class Row {
  /** Called when its kind has changed. */
  onKind = () => {};

  /** @param file name, size @param actions { cancel, retry, find } called when asked for */
  constructor(file, actions) {
    this.element = template.content.firstElementChild.cloneNode(true);
    this.name = shownName(file.name);
    this.size = file.size;
    this.speed = new Speed();
    this.#part(".name").textContent = this.#part(".name").title = this.name;
    this.#part(".size").textContent = showBytes(file.size);
    this.#part("progress").setAttribute("aria-label", `${this.name}: how much is uploaded`);
    const words = { cancel: "Cancel", retry: "Try again", find: "Choose again" };
    for (const [name, word] of Object.entries(words)) {
      const button = this.#part(`.${name}`);
      button.setAttribute("aria-label", `${word}: ${this.name}`);
      button.addEventListener("click", actions[name]);
    }
    this.show("waiting", "Waiting for its turn");
  }

  #part(selector) {
    return this.element.querySelector(selector);
  }

  /** @param kind waiting, sending, paused, missing, received, safe, failed, parked */
  show(kind, text) {
    const isOther = kind !== this.kind;
    const focused = this.element.contains(document.activeElement) ? document.activeElement : null;
    this.kind = kind;
    this.element.dataset.kind = kind;
    this.#part(".state").textContent = text;
    this.#part(".retry").hidden = kind !== "failed";
    this.#part(".find").hidden = kind !== "missing";
    this.#part(".cancel").hidden = kind === "received" || kind === "safe" || kind === "parked";
    this.#part("progress").hidden = !["waiting", "sending", "paused", "missing"].includes(kind);
    // A button that goes would take the keyboard's focus along.
    if (focused?.hidden) this.element.focus({ preventScroll: true });
    if (isOther) this.onKind();
  }

  /** How much has come in before is asked for first, and is no speed. */
  showStarting() {
    this.speed = new Speed();
    this.show("sending", "Starting");
  }

  /** @param sent bytes that have come in, or are on their way */
  showSent(sent) {
    this.#part("progress").value = this.size === 0 ? 1 : sent / this.size;
    const rate = this.speed.at(sent);
    const left = rate === null || rate < 1
      ? ""
      : `, ${showSeconds((this.size - sent) / rate)} left`;
    const speed = rate === null ? "" : ` at ${showBytes(rate)}/s${left}`;
    this.show("sending", `${showBytes(sent)} of ${showBytes(this.size)}${speed}`);
  }

  showChecking(bytes) {
    this.#part("progress").value = bytes / this.size;
    this.show("sending", "Was added before: comparing it with the archive");
  }

  /** @param bytes that were read for the checksum: after a reload all that was sent before is read again */
  showSummed(bytes) {
    const done = Math.floor(100 * bytes / this.size);
    this.show("sending", `Reading it once more before the last part goes: ${done} %`);
  }

  /** @param stored bytes: those that were on their way do not count any more */
  showPaused(reason, stored) {
    this.speed = new Speed();
    this.#part("progress").value = this.size === 0 ? 0 : stored / this.size;
    this.show("paused", reason);
  }

  /**
   * The page has no file to go on with.
   *
   * @param part what is stored of it, from 0 to 1; as before where it is not given
   * @param word what can be done about it
   */
  showMissing(text, part = this.#part("progress").value, word = "Choose again") {
    this.#part("progress").value = part;
    this.#part(".find").textContent = word;
    this.#part(".find").setAttribute("aria-label", `${word}: ${this.name}`);
    this.show("missing", text);
  }

  /** Where the archive has it by now. @param file as GET /media shows it */
  showFile(file) {
    const steps = [["received", true], ...stepsOf(file), ["safe", file.released_at !== null]];
    const list = this.#part(".steps");
    list.hidden = false;
    list.replaceChildren(...steps.map(([name, done]) => {
      const step = document.createElement("li");
      step.textContent = name;
      step.dataset.done = done;
      if (file.parked_in.includes(name)) step.dataset.parked = "true";
      const spoken = document.createElement("span");
      spoken.className = "unseen";
      spoken.textContent = file.parked_in.includes(name)
        ? ": stopped"
        : done
        ? ": done"
        : ": not yet";
      step.append(spoken);
      return step;
    }));
    if (file.parked_in.length > 0) {
      this.show("parked", parkedText(file));
    } else if (file.released_at !== null) {
      this.show("safe", "Safe to delete from your phone");
    } else if (file.stored_in.length > 0) {
      this.show(
        "received",
        `Stored in ${file.stored_in.join(" and ")}; ${file.owed_to.join(" and ")} to come`,
      );
    } else {
      this.show("received", "Received; on its way to the storages. Keep your own copy for now");
    }
  }
}

export function parkedText({ parked_in, parked_reason }) {
  return `Stopped on its way to ${parked_in.join(" and ")}: ${
    parked_reason ?? "no reason is known"
  }. ` +
    "It stays in the inbox, and the administrator has to look. Keep your own copy.";
}

/** Storages in the order in which they were first seen: a step keeps its place when it is done. */
const storages = [];

function stepsOf({ stored_in, owed_to }) {
  for (const name of [...owed_to, ...stored_in]) {
    if (!storages.includes(name)) storages.push(name);
  }
  return storages.filter((name) => stored_in.includes(name) || owed_to.includes(name))
    .map((name) => [name, stored_in.includes(name)]);
}

/** Bytes per second over the last few seconds. */
class Speed {
  #seen = [];

  /** @returns null until there is something to go by */
  at(bytes) {
    const now = performance.now();
    this.#seen.push([now, bytes]);
    while (this.#seen.length > 2 && now - this.#seen[0][0] > 8000) this.#seen.shift();
    const [time, first] = this.#seen[0];
    return now - time < 1000 || bytes <= first ? null : (bytes - first) / (now - time) * 1000;
  }
}
