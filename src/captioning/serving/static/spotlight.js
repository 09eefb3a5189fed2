/** Shows over a picture where the decoder looked: colors there, pale elsewhere. */

import { smooth } from "./attention.js";

// As in evaluation/spotlight.py: shares of the veil and of gray in what is pale, and the share of the
// highest attention from which on the picture keeps its colors.
const VEIL = 0.6;
const GRAY = 0.8;
const FULL = 0.8;

const MOST_PIXELS = 900;
const FADE_MS = 160;

const still = window.matchMedia("(prefers-reduced-motion: reduce)");
const dark = window.matchMedia("(prefers-color-scheme: dark)");

/** The pale picture; the veil is white on a light page and nearly black on a dark one. */
function pale(picture, width, height) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const veil = dark.matches ? 16 : 255;
  // Where there is no picture to show, and below transparent pixels.
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  if (picture) context.drawImage(picture, 0, 0, width, height);
  const pixels = context.getImageData(0, 0, width, height);
  const data = pixels.data;
  for (let at = 0; at < data.length; at += 4) {
    const gray = (data[at] + data[at + 1] + data[at + 2]) / 3;
    for (let color = at; color < at + 3; color++) {
      data[color] = VEIL * veil + (1 - VEIL) * (GRAY * gray + (1 - GRAY) * data[color]);
    }
  }
  context.putImageData(pixels, 0, 0);
  return canvas;
}

/** The overlay of one card. */
export class Spotlight {
  /**
   * @param {HTMLCanvasElement} canvas lies over the picture and has its size.
   * @param {function(): ?HTMLImageElement} picture the picture, or null if the browser cannot show it.
   */
  constructor(canvas, picture) {
    this.canvas = canvas;
    this.picture = picture;
    this.opacity = null; // Of the pale picture, for every place of the smooth map.
    this.frame = 0;
    this.pale = null;
    dark.addEventListener("change", () => { this.pale = null; });
  }

  /** Points at what `map` points at, or shows the whole picture if it is null. */
  show(map) {
    cancelAnimationFrame(this.frame);
    if (!map && !this.opacity) return;
    const goal = map ? smooth(map) : { ...this.size, values: null };
    const end = goal.values
      ? goal.values.map((value) => 1 - Math.min(value / FULL, 1))
      : new Float32Array(goal.width * goal.height);
    const begin = this.opacity ?? new Float32Array(end.length);
    this.size = { width: goal.width, height: goal.height };
    const started = performance.now();
    const step = (now) => {
      const share = still.matches ? 1 : Math.min(Math.max((now - started) / FADE_MS, 0), 1);
      this.opacity = end.map((value, place) => begin[place] + (value - begin[place]) * share);
      if (share === 1 && !map) this.opacity = null;
      this.draw();
      if (share < 1) this.frame = requestAnimationFrame(step);
    };
    step(started);
  }

  /** Forgets the pale copy, because the picture has changed its size or has only now loaded. */
  reset() {
    this.pale = null;
    if (this.opacity) this.draw();
  }

  draw() {
    const { canvas } = this;
    if (!this.pale) {
      const { width, height } = canvas.getBoundingClientRect();
      const scale = Math.min(devicePixelRatio, MOST_PIXELS / Math.max(width, height, 1));
      canvas.width = Math.max(Math.round(width * scale), 1);
      canvas.height = Math.max(Math.round(height * scale), 1);
      this.pale = pale(this.picture(), canvas.width, canvas.height);
    }
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (!this.opacity) return;
    const { width, height } = this.size;
    const mask = new ImageData(width, height);
    this.opacity.forEach((value, place) => { mask.data[4 * place + 3] = 255 * value; });
    const small = new OffscreenCanvas(width, height);
    small.getContext("2d").putImageData(mask, 0, 0);
    context.imageSmoothingQuality = "high";
    context.globalCompositeOperation = "copy";
    context.drawImage(small, 0, 0, canvas.width, canvas.height);
    context.globalCompositeOperation = "source-in";
    context.drawImage(this.pale, 0, 0);
    context.globalCompositeOperation = "source-over";
  }
}
