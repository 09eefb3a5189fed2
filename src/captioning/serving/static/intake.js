/** Takes pictures: dropped, pasted, chosen, named by address, or from the examples. */

import { element } from "./dom.js";

const isAddress = (text) => /^https?:\/\/\S+$/.test(text);

/** Addresses in what was dropped or pasted, one on a line. */
function addresses(data) {
  const lines = (data.getData("text/uri-list") || data.getData("text/plain")).split(/\r?\n/);
  return lines.map((line) => line.trim()).filter(isAddress);
}

/**
 * Listens to the whole page.
 *
 * @param {{onFiles: function(File[]): void, onAddress: function(string): void}} actions
 * @returns {{allowAddresses: function(): void}}
 */
export function listen({ onFiles, onAddress }) {
  let allowed = false;
  const take = (data) => {
    const files = [...data.files];
    if (files.length) onFiles(files);
    else if (allowed) addresses(data).forEach(onAddress);
  };

  const input = document.getElementById("files");
  document.getElementById("choose").addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    onFiles([...input.files]);
    input.value = ""; // So that the same file can be chosen again.
  });

  const form = document.getElementById("address");
  const url = document.getElementById("url");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    onAddress(url.value.trim());
    url.value = "";
  });

  document.addEventListener("paste", (event) => {
    if (event.target.matches?.("input")) return;
    take(event.clipboardData);
  });

  // Entering a child counts before leaving its parent.
  let depth = 0;
  const over = (change) => {
    depth = change === 0 ? 0 : depth + change;
    document.body.classList.toggle("dropping", depth > 0);
  };
  document.addEventListener("dragenter", () => over(1));
  document.addEventListener("dragleave", () => over(-1));
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    over(0);
    take(event.dataTransfer);
  });

  return {
    allowAddresses() {
      allowed = true;
      form.hidden = false;
    },
  };
}

/**
 * Shows examples to click on.
 *
 * @param {Array<{preview: string, name: string}>} examples
 * @param {function(object): void} onChoose
 */
export function showExamples(examples, onChoose) {
  const items = examples.map((example, place) =>
    element("li", {},
      element("button", { type: "button", "aria-label": `Example ${place + 1}`,
        onclick: () => onChoose(example) },
        element("img", { src: example.preview, alt: "" }))));
  document.querySelector("#examples .thumbnails").replaceChildren(...items);
  document.getElementById("examples").hidden = items.length === 0;
}
