/** Builds the card of one picture. Texts become text nodes: nothing in them is read as HTML. */

// Pixels of a picture on a wide screen; narrow cards scale it down.
const [WIDEST, TALLEST] = [400, 330];

function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key in made) made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

function number(value, digits = 2) {
  return value === null || value === undefined ? "–" : value.toFixed(digits);
}

/** The picture under its veil, and the line that says how strong the attention is. */
function pictureOf(item) {
  const described = item.references[0] ?? "";
  const canvas = element("canvas", { ariaHidden: "true", width: 1, height: 1 });
  const readout = element("p", { className: "readout", hidden: true });
  const frame = element("div", { className: "picture" });
  if (item.picture) {
    const [webp, width, height] = item.picture;
    const scale = Math.min(WIDEST / width, TALLEST / height);
    const size = { width: Math.round(width * scale), height: Math.round(height * scale) };
    const image = element("img", { ...size, alt: `Picture: ${described}` });
    image.src = `data:image/webp;base64,${webp}`;
    frame.append(element("div", { className: "fit" }, image, canvas), readout);
  } else {
    frame.hidden = true;
  }
  const show = (map, word) => {
    paintMap(canvas, map);
    frame.classList.toggle("veiled", Boolean(map));
    readout.hidden = !map;
    readout.textContent = map ? `${word}: ${Math.round(map.share * 100)}% on the strongest cell` : "";
  };
  return { frame, show };
}

/** A word that shows its attention map while the pointer or the focus is on it. */
function wordButton(word, map, show, first) {
  const button = element("button", { type: "button", className: "word", tabIndex: first ? 0 : -1 }, word);
  const leave = () => { if (document.activeElement !== button) show(null); };
  button.addEventListener("pointerenter", () => show(map, word));
  button.addEventListener("pointerleave", leave);
  button.addEventListener("focus", () => show(map, word));
  button.addEventListener("blur", () => show(null));
  // Safari does not focus buttons that are clicked.
  button.addEventListener("click", () => button.focus());
  return button;
}

/** One stop for the tabulator key in each caption; the arrow keys lead from word to word. */
function walkWithArrows(line) {
  line.addEventListener("keydown", (event) => {
    const words = [...line.querySelectorAll(".word")];
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const next = words[words.indexOf(document.activeElement) + step];
    if (!step) return;
    event.preventDefault();
    if (!next) return;
    words.forEach((word) => { word.tabIndex = word === next ? 0 : -1; });
    next.focus();
  });
}

function captionLine(caption, grid, show) {
  const line = element("p", { className: "text", dir: "auto" });
  const words = caption.text.split(/\s+/u).filter(Boolean);
  const maps = caption.attention && grid ? unpackMaps(caption.attention, grid) : [];
  if (!words.length) return element("p", { className: "text empty" }, "(empty caption)");
  if (maps.length !== words.length) {
    line.append(caption.text);
    return line;
  }
  line.setAttribute("role", "group");
  line.setAttribute("aria-label", caption.text);
  words.forEach((word, place) => line.append(wordButton(word, maps[place], show, !place), " "));
  walkWithArrows(line);
  return line;
}

function scoreLine(caption) {
  const line = element("p", { className: "scores" }, `CIDEr-D ${number(caption.cider_d)}`);
  if (caption.change) {
    const sign = caption.change > 0 ? "+" : "−";
    const kind = caption.change > 0 ? "up" : "down";
    line.append(" ", element("b", { className: `change ${kind}` }, sign + number(Math.abs(caption.change))));
  }
  line.append(`, ROUGE-L ${number(caption.rouge_l)}`);
  return line;
}

function captionOf(caption, place, gallery, show) {
  const box = element("div", { className: `caption c${place % 6}` });
  if (gallery.revisions.length > 1) {
    box.append(element("p", { className: "whose" }, gallery.revisions[place]));
  }
  box.append(captionLine(caption, gallery.grids[place], show), scoreLine(caption));
  if (caption.wrong) {
    const claims = caption.wrong.map((key) => element("li", {}, gallery.claims[key]));
    box.append(element("ul", { className: "wrong", ariaLabel: "Wrong" }, ...claims));
  }
  return box;
}

function referencesOf(item, open) {
  const count = item.references.length;
  const list = element("ol", { dir: "auto" }, ...item.references.map((text) => element("li", { dir: "auto" }, text)));
  const kind = item.captions.length ? "reference" : "caption";
  const summary = element("summary", {}, `${count} ${kind}${count === 1 ? "" : "s"}`);
  return element("details", { open }, summary, list);
}

/** The card of an item; see report/gallery.py for its fields. */
function cardOf(item, gallery) {
  const { frame, show } = pictureOf(item);
  const body = element("div", { className: "body" });
  item.captions.forEach((caption, place) => body.append(captionOf(caption, place, gallery, show)));
  body.append(referencesOf(item, !item.captions.length));
  const facts = [item.id, item.split, item.held_out && "new combination"].filter(Boolean);
  const name = element("p", { className: "name" }, facts.join(" · "));
  if (item.file) name.title = item.file;
  body.append(name);
  return element("article", { className: "card", ariaLabel: item.id }, frame, body);
}
