/** The settings beside the pictures. */

const HELP = {
  beam: "Keeps several unfinished captions and returns the most probable.",
  greedy: "Always takes the most probable next word.",
  sample: "Draws every word at random, by its probability.",
};
const NAMES = { beam: "beam search", greedy: "greedy", sample: "sampling" };
const DEBOUNCE_MS = 350;

const wide = window.matchMedia("(min-width: 64rem)");

export class Settings {
  /** @param {function(): void} onChange called a moment after the last change. */
  constructor(onChange) {
    this.panel = document.getElementById("settings");
    this.form = this.panel.querySelector("form");
    this.onChange = onChange;
    this.sent = "";
    const changed = () => {
      this.show();
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.report(), DEBOUNCE_MS);
    };
    this.form.addEventListener("input", (event) => {
      this.keepWidth(event.target.name);
      changed();
    });
    this.form.addEventListener("reset", () => setTimeout(changed));
    this.form.addEventListener("submit", (event) => event.preventDefault());
    document.getElementById("reseed").addEventListener("click", () => {
      this.form.elements.seed.value = crypto.getRandomValues(new Uint16Array(1))[0];
      changed();
    });
    const arrange = () => { this.panel.open = wide.matches; };
    wide.addEventListener("change", arrange);
    arrange();
    this.show();
    this.sent = JSON.stringify(this.values());
  }

  /** Applies the server's limits. */
  limit(limits) {
    for (const [name, most] of Object.entries(limits)) {
      const input = this.form.elements[name];
      if (input?.type === "range") input.max = Math.min(input.max, most);
    }
    this.show();
  }

  /** A beam search returns at most as many captions as it keeps. */
  keepWidth(changed) {
    const { n, beam_width: width } = this.form.elements;
    if (changed === "n" && +width.value < +n.value) width.value = n.value;
    if (changed === "beam_width" && +n.value > +width.value) n.value = width.value;
  }

  get method() {
    return this.form.elements.decoder.value;
  }

  /** The settings that apply to the method, as the server expects them. */
  values() {
    const values = { decoder: this.method };
    for (const control of this.form.querySelectorAll(".control:not([hidden])")) {
      const { name, valueAsNumber, min } = control.querySelector("input");
      values[name] = Number.isNaN(valueAsNumber) ? Number(min) : valueAsNumber;
    }
    values.n ??= 1;
    return values;
  }

  show() {
    for (const control of this.form.querySelectorAll(".control")) {
      control.hidden = !control.dataset.for.split(" ").includes(this.method);
      const output = control.querySelector("output");
      if (output) output.value = control.querySelector("input").value;
    }
    if (this.method === "beam") this.keepWidth("n");
    document.getElementById("method-help").textContent = HELP[this.method];
    document.getElementById("summary").textContent = NAMES[this.method];
  }

  report() {
    const now = JSON.stringify(this.values());
    if (now === this.sent || !this.form.checkValidity()) return;
    this.sent = now;
    this.onChange();
  }
}
