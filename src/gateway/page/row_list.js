/**
 * The rows, in the order in which people look for them: what needs them, what is under way, what waits, what is
 * over. Of a kind the one that was added first stands first. The document has the order that is seen, so
 * the keyboard and screen readers go by it too.
 */
const RANKS = {
  failed: 0,
  parked: 0,
  missing: 0,
  sending: 1,
  paused: 1,
  waiting: 2,
  received: 3,
  safe: 4,
};

/** Of those that are safe more than this are folded away: people want to see their pictures, below. */
const SAFE_SHOWN = 5;

/** Nothing moves while somebody is at the list, and for so long afterwards. */
const HAND_MS = 3000;
/** A finger that was on its way when a row moved meets no button: people take 200 to 300 ms to see that it did. */
const SETTLE_MS = 400;

export class RowList {
  #element;
  /** As they stand in the document. */
  #rows = [];
  #added = 0;
  /** Whose kind has changed since they were placed. */
  #changed = new Set();
  #heldUntil = 0;
  #timer = 0;
  #movedTimer = 0;
  #unfold;
  #isUnfolded = false;

  /** @param unfold the button that shows those that are folded away, or folds them again */
  constructor(element, unfold) {
    this.#element = element;
    this.#unfold = unfold;
    unfold.addEventListener("click", () => {
      this.#isUnfolded = !this.#isUnfolded;
      this.#fold();
    });
    for (const type of ["pointerdown", "pointermove", "wheel", "touchmove", "keydown"]) {
      element.addEventListener(type, () => this.#heldUntil = performance.now() + HAND_MS, {
        passive: true,
      });
    }
  }

  add(row) {
    row.number = this.#added++;
    row.rank = RANKS[row.kind];
    row.onKind = () => {
      this.#changed.add(row);
      this.#settle();
    };
    this.#place(row);
    this.#fold();
  }

  remove(row) {
    const at = this.#rows.indexOf(row);
    this.#rows.splice(at, 1);
    this.#changed.delete(row);
    // What was still asked for its file is answered later.
    row.onKind = () => {};
    const hadFocus = row.element.contains(document.activeElement);
    row.element.remove();
    this.#fold();
    // The keyboard's focus does not go back to the top of the page; nor to a button, for a key that is hit twice.
    if (hadFocus) (this.#rows[at] ?? this.#rows.at(-1))?.element.focus({ preventScroll: true });
    this.#noteMove();
  }

  #settle() {
    clearTimeout(this.#timer);
    const rest = this.#heldUntil - performance.now();
    if (rest > 0) {
      this.#timer = setTimeout(() => this.#settle(), rest);
      return;
    }
    for (const row of this.#changed) {
      this.#rows.splice(this.#rows.indexOf(row), 1);
      row.rank = RANKS[row.kind];
    }
    let isMoved = false;
    // The last one first: each then has its next one in place.
    for (const row of [...this.#changed].sort(compare).reverse()) {
      if (this.#place(row)) isMoved = true;
    }
    this.#changed.clear();
    this.#fold();
    if (isMoved) this.#noteMove();
  }

  /** @returns whether that moves it */
  #place(row) {
    const before = this.#rows.findLastIndex((other) => compare(other, row) < 0);
    this.#rows.splice(before + 1, 0, row);
    const next = this.#rows[before + 2]?.element ?? null;
    if (row.element.isConnected && row.element.nextElementSibling === next) return false;
    moveBefore(this.#element, row.element, next);
    return true;
  }

  #fold() {
    const safe = this.#rows.filter(({ rank }) => rank === RANKS.safe);
    for (const [n, { element }] of safe.entries()) {
      const isFolded = !this.#isUnfolded && n >= SAFE_SHOWN;
      element.hidden = isFolded && !element.contains(document.activeElement);
    }
    const more = safe.length - SAFE_SHOWN;
    this.#unfold.hidden = more <= 0;
    this.#unfold.ariaExpanded = String(this.#isUnfolded);
    this.#unfold.textContent = this.#isUnfolded ? "Show fewer" : `Show ${more} more that are safe`;
  }

  #noteMove() {
    this.#element.classList.add("moved");
    clearTimeout(this.#movedTimer);
    this.#movedTimer = setTimeout(() => this.#element.classList.remove("moved"), SETTLE_MS);
  }
}

const compare = (a, b) => a.rank - b.rank || a.number - b.number;

/**
 * With the focus that is in it. Rejected: `Element.moveBefore`, which keeps it by itself. Chromium 156 then leaves
 * what is in the row in the colours of the kind that it had before.
 */
function moveBefore(parent, element, next) {
  const focused = element.contains(document.activeElement) ? document.activeElement : null;
  parent.insertBefore(element, next);
  focused?.focus({ preventScroll: true });
}
