/** The card of one picture. */

import { strongest } from "./attention.js";
import { copyText } from "./copying.js";
import { announce, element, percent, sentence } from "./dom.js";
import { Spotlight } from "./spotlight.js";
import { captionWords, Pointing } from "./words.js";

const HINT = "Point at a word to see where the model looked.";
const PROBABILITY = "Bars and percentages: how probable the model finds the whole caption.";
const ORDER = " The order also takes the length into account.";
const PLAY_MS = 650;

export class Card {
  /**
   * @param {import("./pictures.js").Picture} picture
   * @param {{onRemove: function(Card): void, onRetry: function(Card): void}} actions
   */
  constructor(picture, actions) {
    this.picture = picture;
    this.result = null;
    this.image = element("img", { alt: picture.name, draggable: false, hidden: true });
    this.canvas = element("canvas", { className: "spotlight", "aria-hidden": "true" });
    this.frame = element("div", { className: "frame" }, this.image, this.canvas);
    this.reading = element("p", { className: "reading fine" });
    this.body = element("div", { className: "body" });
    this.spotlight = new Spotlight(this.canvas, () => (this.image.hidden ? null : this.image));
    this.pointing = new Pointing((word) => this.pointAt(word));
    const button = (text, label, run) =>
      element("button", { type: "button", className: "quiet", textContent: text,
        "aria-label": `${label} ${picture.name}`, onclick: run });
    this.playButton = button("Play", "Show word by word where the model looked in", () => this.play());
    this.copyButton = button("Copy", "Copy the caption of", () => this.copy());
    this.actions = actions;
    this.root = element("article", { className: "card", "aria-label": picture.name },
      element("div", { className: "picture" }, this.frame, this.reading),
      element("div", { className: "text" },
        element("header", {},
          element("h2", { textContent: picture.name, title: picture.name }),
          this.playButton,
          this.copyButton,
          button("Remove", "Remove", () => actions.onRemove(this))),
        this.body));
    this.image.addEventListener("load", () => this.resize(this.image.naturalWidth, this.image.naturalHeight));
    this.image.addEventListener("error", () => this.withoutPicture());
    new ResizeObserver(() => this.spotlight.reset()).observe(this.canvas);
    if (picture.preview) this.image.src = picture.preview;
    else this.withoutPicture();
    this.wait("Waiting…");
  }

  /** Gives the frame the shape of the picture. */
  resize(width, height) {
    this.image.hidden = !this.image.naturalWidth;
    this.frame.classList.toggle("blank", this.image.hidden);
    this.frame.style.setProperty("--aspect", `${width / height}`);
    this.spotlight.reset();
  }

  withoutPicture() {
    this.image.hidden = true;
    this.frame.classList.add("blank");
    this.frame.dataset.reason = this.picture.url
      ? "The server reads this picture; the page itself loads nothing from other addresses."
      : "The browser cannot show this picture.";
  }

  /** Shows that the picture is being captioned; an earlier caption stays, pale. */
  wait(message) {
    this.root.setAttribute("aria-busy", "true");
    this.root.classList.add("waiting");
    this.stop();
    this.reading.textContent = message;
    this.playButton.hidden = this.copyButton.hidden = this.result === null;
    if (this.result === null) {
      this.body.replaceChildren(
        element("div", { className: "skeleton", "aria-hidden": "true" }, element("i"), element("i")));
    }
  }

  finish() {
    this.root.removeAttribute("aria-busy");
    this.root.classList.remove("waiting");
    this.reading.textContent = "";
    this.stop();
    this.pointing = new Pointing((word) => this.pointAt(word));
    this.spotlight.show(null);
  }

  /** Shows a problem with this picture instead of captions. */
  fail(message, canRetry) {
    this.finish();
    this.result = null;
    this.playButton.hidden = this.copyButton.hidden = true;
    const retry = canRetry
      ? element("button", { type: "button", textContent: "Try again", onclick: () => this.actions.onRetry(this) })
      : null;
    this.body.replaceChildren(
      element("div", { className: "notice error" },
        element("p", {}, element("strong", { textContent: "No caption. " }), sentence(message)), retry));
    announce(`${this.picture.name}: no caption. ${message}`);
  }

  /** Shows captions, best first. */
  succeed(result, settings) {
    this.finish();
    this.result = result;
    const [best, ...others] = result.captions;
    this.image.alt = best.text || this.picture.name;
    if (result.preview && !this.picture.preview) this.image.src = result.preview;
    else if (this.image.hidden) this.resize(result.width, result.height);
    this.playButton.hidden = !best.words?.some((word) => word.attention);
    this.copyButton.hidden = false;
    this.reading.textContent = this.playButton.hidden ? "" : HINT;
    const most = Math.max(...result.captions.map((caption) => caption.probability));
    this.best = captionWords(best, this.pointing, `Caption: ${best.text}`);
    const children = [
      result.unfamiliar ? unfamiliarNotice() : null,
      element("div", { className: "caption" }, this.best, probability(best, most)),
      others.length ? this.alternatives(others, most, settings) : null,
      element("p", { className: "fine" }, PROBABILITY, settings.length_penalty && others.length ? ORDER : null),
      references(this.picture.references),
    ];
    this.body.replaceChildren(...children.filter(Boolean));
    announce(`${result.unfamiliar ? "Unfamiliar picture. " : ""}Caption: ${best.text}`);
  }

  alternatives(captions, most, settings) {
    const rows = captions.map((caption, place) =>
      element("li", {},
        captionWords(caption, this.pointing, `Alternative ${place + 1}: ${caption.text}`),
        probability(caption, most)));
    const title = settings.decoder === "sample" ? "Other samples" : "Alternatives";
    return element("section", { className: "alternatives" },
      element("h3", { textContent: title }), element("ol", {}, ...rows));
  }

  pointAt(word) {
    this.spotlight.show(word?.attention ?? null);
    this.frame.classList.toggle("lit", word !== null);
    if (!word) {
      this.reading.textContent = this.result ? HINT : "";
      return;
    }
    const { place, share, cells } = strongest(word.attention);
    this.reading.replaceChildren(
      element("strong", { textContent: word.label }),
      `: looked most at the ${place}, with ${percent(share)} of the attention in one of ${cells} cells`);
  }

  /** Points at one word of the best caption after the other. */
  play() {
    if (this.timer) {
      this.stop();
      return;
    }
    const words = [...this.best.querySelectorAll(".word")];
    const next = () => {
      this.pointing.point(words.shift() ?? null);
      if (this.pointing.pointed) this.timer = setTimeout(next, PLAY_MS);
      else this.stop();
    };
    this.playButton.textContent = "Stop";
    next();
  }

  stop() {
    clearTimeout(this.timer);
    this.timer = 0;
    this.playButton.textContent = "Play";
    this.pointing.clear();
  }

  async copy() {
    const copied = await copyText(this.result.captions[0].text);
    this.copyButton.textContent = copied ? "Copied" : "Not copied";
    announce(copied ? "Caption copied" : "The browser does not allow copying");
    setTimeout(() => { this.copyButton.textContent = "Copy"; }, 1500);
  }
}

/** The probability of a caption as a bar, relative to the most probable one, and a number. */
function probability(caption, most) {
  const bar = element("i");
  bar.style.inlineSize = `${(100 * caption.probability) / (most || 1)}%`;
  return element("p", { className: "probability" },
    element("span", { className: "bar", "aria-hidden": "true" }, bar),
    element("span", { className: "visually-hidden", textContent: "Probability " }),
    element("span", { textContent: percent(caption.probability) }));
}

function unfamiliarNotice() {
  return element("div", { className: "notice unfamiliar" },
    element("p", {},
      element("strong", { textContent: "This picture is unlike those that the model learned from. " }),
      "The caption is probably wrong."));
}

function references(captions) {
  if (!captions.length) return null;
  return element("details", { className: "references" },
    element("summary", { textContent: "What people wrote" }),
    element("ul", {}, ...captions.map((text) => element("li", { textContent: text, dir: "auto" }))));
}
