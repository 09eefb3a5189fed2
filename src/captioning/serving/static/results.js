/** The cards, and the requests for their captions. */

import { fetchCaptions, ServerError } from "./api.js";
import { Card } from "./card.js";
import { saveJson } from "./copying.js";

// The server captions simultaneous requests in one batch.
const SIMULTANEOUS = 4;

export class Results {
  /**
   * @param {import("./settings.js").Settings} settings
   * @param {function(?string): void} onTrouble gets a problem of the server, or null when it answers.
   */
  constructor(settings, onTrouble) {
    this.settings = settings;
    this.onTrouble = onTrouble;
    this.cards = [];
    this.queue = [];
    this.running = new Map();
    this.model = null;
    this.list = document.getElementById("cards");
    document.getElementById("clear").addEventListener("click", () => this.clear());
    document.getElementById("download").addEventListener("click", () => this.download());
  }

  /** Adds a card at the top; `problem` says why the picture cannot be captioned. */
  add(picture, problem = null) {
    const card = new Card(picture, {
      onRemove: (removed) => this.remove(removed),
      onRetry: (failed) => this.caption([failed]),
    });
    this.cards.unshift(card);
    this.list.prepend(card.root);
    if (problem) card.fail(problem, false);
    else this.caption([card]);
    card.problem = problem;
    this.count();
    card.root.scrollIntoView({ block: "nearest" });
  }

  /** Captions the cards again, with the settings of now. */
  captionAll() {
    this.caption(this.cards.filter((card) => !card.problem));
  }

  caption(cards) {
    for (const card of cards) {
      this.running.get(card)?.abort();
      this.running.delete(card);
      card.wait("Waiting…");
    }
    this.queue = [...this.queue.filter((card) => !cards.includes(card)), ...cards];
    this.next();
  }

  next() {
    while (this.queue.length && this.running.size < SIMULTANEOUS) this.run(this.queue.shift());
  }

  async run(card) {
    const control = new AbortController();
    this.running.set(card, control);
    card.wait("Captioning…");
    const settings = this.settings.values();
    const onWait = (reason, seconds) => card.wait(`${reason} The next attempt is in ${seconds} s.`);
    try {
      const { result, model } = await fetchCaptions(card.picture, settings, control.signal, onWait);
      if (control.signal.aborted) return;
      this.onTrouble(null);
      this.model = model;
      card.settings = settings;
      if (result.error) card.fail(result.error.message, false);
      else card.succeed(result, settings);
    } catch (error) {
      if (control.signal.aborted) return;
      this.report(card, error);
    }
    this.running.delete(card);
    this.next();
  }

  report(card, error) {
    if (!(error instanceof ServerError)) {
      card.fail("The server's answer cannot be read.", true);
      throw error;
    }
    card.fail(error.message, error.temporary);
    if (error.status === 0) this.onTrouble(error.message);
  }

  remove(card) {
    this.running.get(card)?.abort();
    this.running.delete(card);
    this.queue = this.queue.filter((other) => other !== card);
    const place = this.cards.indexOf(card);
    this.cards.splice(place, 1);
    card.root.remove();
    if (card.picture.upload) URL.revokeObjectURL(card.picture.preview);
    this.count();
    this.next();
    const neighbor = this.cards[Math.min(place, this.cards.length - 1)];
    (neighbor?.root.querySelector("header button:last-child") ?? document.getElementById("choose")).focus();
  }

  clear() {
    [...this.cards].forEach((card) => this.remove(card));
  }

  count() {
    const number = this.cards.length;
    document.body.classList.toggle("empty", number === 0);
    document.getElementById("count").textContent = number === 1 ? "1 picture" : `${number} pictures`;
  }

  /** What the server answered for every picture, with the settings that it was asked for. */
  download() {
    const results = this.cards.map((card) => ({
      name: card.picture.name,
      settings: card.settings ?? null,
      ...(card.result ?? { error: card.root.querySelector(".notice.error p")?.textContent ?? "no answer yet" }),
    }));
    saveJson({ model: this.model, results }, "captions.json");
  }
}
