/** The page: connects its parts. */

import { fetchExamples, fetchModel, request } from "./api.js";
import { element } from "./dom.js";
import { listen, showExamples } from "./intake.js";
import { fromAddress, fromFile } from "./pictures.js";
import { Results } from "./results.js";
import { Settings } from "./settings.js";

const MOST_EXAMPLES = 8;

let model = null;
const trouble = document.getElementById("trouble");
const settings = new Settings(() => results.captionAll());
const results = new Results(settings, showTrouble);

/** Shows a problem of the whole page, with a button that tries again; null removes it. */
function showTrouble(message) {
  if (!message) {
    trouble.replaceChildren();
    return;
  }
  const retry = async () => {
    if (!model) await start();
    results.captionAll();
  };
  trouble.replaceChildren(
    element("div", { className: "notice error" },
      element("p", { textContent: message }),
      element("button", { type: "button", textContent: "Try again", onclick: retry })));
}

async function addFile(file, options = {}) {
  const limits = { imageSize: model?.image_size, maximumBytes: model?.limits?.image_bytes };
  try {
    results.add(await fromFile(file, { ...limits, ...options }));
  } catch (error) {
    const name = options.name ?? file.name;
    results.add({ name, upload: null, url: null, preview: null, references: [] }, error.message);
  }
}

const intake = listen({
  onFiles: (files) => files.forEach((file) => addFile(file)),
  onAddress: (url) => results.add(fromAddress(url)),
});

function describe() {
  const facts = [
    model.dataset && `trained on ${model.dataset}`,
    model.extractor,
    model.vocabulary_size && `${model.vocabulary_size.toLocaleString("en")} words`,
  ];
  document.getElementById("facts").textContent = facts.filter(Boolean).join(" · ");
  const note = document.getElementById("note");
  note.textContent = model.note ?? "";
  note.hidden = !model.note;
}

async function loadExamples() {
  const listed = (await fetchExamples()).slice(0, MOST_EXAMPLES);
  const loaded = await Promise.all(listed.map(async ({ id, url, references }) => {
    // Relative to this page, which may be behind a path; `request` adds the token.
    const blob = await (await request(url.replace(/^\//, ""))).blob();
    return { blob, name: `Example ${id + 1}`, preview: URL.createObjectURL(blob), references };
  }));
  showExamples(loaded, ({ blob, name, references }) => addFile(blob, { name, references }));
}

async function start() {
  try {
    model = await fetchModel();
    showTrouble(null);
    describe();
    settings.limit(model.limits ?? {});
    if (model.allow_urls) intake.allowAddresses();
    await loadExamples();
  } catch (error) {
    showTrouble(error.message);
  }
}

start();
