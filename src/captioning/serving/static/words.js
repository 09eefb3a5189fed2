/** A caption as words at which one can point. */

import { strongest } from "./attention.js";
import { element } from "./dom.js";

/**
 * Splits a caption where its words begin and end; what is between them, such as a space, belongs to
 * no word.
 *
 * @returns {Array<{text: string, word: ?object}>} that joined give the caption.
 */
export function split(text, words) {
  const parts = [];
  let end = 0;
  for (const word of words) {
    const piece = word.text.replaceAll("\u2581", " ").trim();
    const begin = piece ? text.indexOf(piece, end) : -1;
    if (begin < 0) continue;
    if (begin > end) parts.push({ text: text.slice(end, begin), word: null });
    end = begin + piece.length;
    parts.push({ text: piece, word });
  }
  if (end < text.length) parts.push({ text: text.slice(end), word: null });
  return parts;
}

/** What one card points at: the word under the pointer, otherwise the one with the focus. */
export class Pointing {
  /** @param {function(?object): void} onChange gets the word, or null. */
  constructor(onChange) {
    this.onChange = onChange;
    this.pointed = null;
    this.focused = null;
    this.shown = null;
  }

  point(button) {
    this.pointed = button;
    this.update();
  }

  focus(button) {
    this.focused = button;
    this.update();
  }

  clear() {
    this.pointed = this.focused = null;
    this.update();
  }

  update() {
    const button = this.pointed ?? this.focused;
    if (button === this.shown) return;
    this.shown?.classList.remove("shown");
    button?.classList.add("shown");
    this.shown = button;
    this.onChange(button?.word ?? null);
  }
}

// A finger has no position once it is lifted: its word stays until it touches anything else.
let touched = null;
document.addEventListener("pointerdown", (event) => {
  if (!event.target.closest?.(".words")) touched?.clear();
});

const KEYS = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 };

function wordButton(part) {
  const { place } = strongest(part.word.attention);
  const button = element("button", {
    type: "button",
    className: "word",
    tabIndex: -1,
    textContent: part.text,
    "aria-label": `${part.text}, looked most at the ${place}`,
  });
  button.word = { ...part.word, label: part.text };
  return button;
}

/**
 * The words of a caption. Tab reaches the first, arrow keys the others.
 *
 * @param {{text: string, words: object[]}} caption
 * @param {Pointing} pointing
 * @param {string} label name for people who do not see the page.
 */
export function captionWords(caption, pointing, label) {
  const nodes = split(caption.text, caption.words ?? []).map((part) =>
    part.word?.attention ? wordButton(part) : document.createTextNode(part.text),
  );
  const buttons = nodes.filter((node) => node instanceof HTMLButtonElement);
  const group = element("div", { className: "words", role: "group", "aria-label": label, dir: "auto" });
  group.append(...(nodes.length ? nodes : ["(no words)"]));
  if (buttons.length) buttons[0].tabIndex = 0;

  const wordAt = (event) => {
    const found = document.elementFromPoint(event.clientX, event.clientY);
    return buttons.find((button) => button === found) ?? null;
  };
  group.addEventListener("pointerover", (event) => {
    if (event.pointerType !== "touch") pointing.point(event.target.word ? event.target : null);
  });
  group.addEventListener("pointerleave", (event) => {
    if (event.pointerType !== "touch") pointing.point(null);
  });
  // A finger may slide over the words.
  for (const name of ["pointerdown", "pointermove"]) {
    group.addEventListener(name, (event) => {
      if (event.pointerType !== "touch") return;
      if (touched !== pointing) touched?.clear();
      touched = pointing;
      pointing.point(wordAt(event) ?? pointing.pointed);
    });
  }
  group.addEventListener("focusin", (event) => pointing.focus(event.target));
  group.addEventListener("focusout", () => pointing.focus(null));
  group.addEventListener("keydown", (event) => {
    if (event.key === "Escape") event.target.blur();
    const now = buttons.indexOf(event.target);
    const ends = { Home: 0, End: buttons.length - 1 };
    const next = buttons[ends[event.key] ?? now + (KEYS[event.key] ?? NaN)];
    if (!next) return;
    event.preventDefault();
    buttons.forEach((button) => { button.tabIndex = button === next ? 0 : -1; });
    next.focus();
  });
  return group;
}
