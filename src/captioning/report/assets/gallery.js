/** Connects the filters, the pages and the cards. */

const PAGE = 24;
const CLAIM_GROUPS = { any: "any wrong claim", none: "no wrong claim", held_out: "new combinations only" };

const gallery = JSON.parse(document.getElementById("gallery-data").textContent);
const form = document.getElementById("filters");
const cards = document.getElementById("cards");
const pagers = [...document.querySelectorAll(".pages")];
let shown = gallery.items;
let page = 0;

function field(name) {
  return form.elements.namedItem(name)?.value ?? "";
}

function numberField(name) {
  const value = form.elements.namedItem(name)?.valueAsNumber;
  return Number.isFinite(value) ? value : null;
}

function currentFilter() {
  return {
    words: field("words"),
    place: field("place") || "both",
    revision: Number(field("revision")),
    split: field("split"),
    claim: field("claim"),
    score: field("score"),
    low: numberField("low"),
    high: numberField("high"),
    order: field("order"),
  };
}

function drawPage() {
  const last = Math.max(Math.ceil(shown.length / PAGE) - 1, 0);
  page = Math.min(Math.max(page, 0), last);
  cards.replaceChildren(
    ...shown.slice(page * PAGE, (page + 1) * PAGE).map((item) => cardOf(item, gallery)));
  for (const pager of pagers) {
    pager.hidden = last === 0;
    pager.querySelector("span").textContent = `Page ${page + 1} of ${last + 1}`;
    pager.querySelector("[data-step='-1']").disabled = page === 0;
    pager.querySelector("[data-step='1']").disabled = page === last;
  }
}

function countText() {
  const total = gallery.items.length;
  const pictures = total === 1 ? "picture" : "pictures";
  if (shown.length === total) return `${total.toLocaleString("en")} ${pictures}`;
  if (!shown.length) return "No picture is left: change the filters or reset them.";
  return `${shown.length.toLocaleString("en")} of ${total.toLocaleString("en")} ${pictures}`;
}

function apply() {
  const filter = currentFilter();
  shown = chosenItems(gallery.items, filter);
  page = 0;
  document.getElementById("count").textContent = countText();
  drawPage();
}

/** Offers the kinds of wrong claims that occur in captions of the chosen revision, with counts. */
function fillClaims() {
  const select = form.elements.namedItem("claim");
  if (!select) return;
  const before = select.value;
  const options = { ...CLAIM_GROUPS, ...gallery.claims };
  const revision = Number(field("revision"));
  const counted = Object.entries(options).map(([claim, name]) =>
    [claim, name, gallery.items.filter((item) => claimMatches(item, { claim, revision })).length]);
  select.replaceChildren(element("option", { value: "" }, "all captions"),
    ...counted.filter(([, , count]) => count)
      .map(([claim, name, count]) => element("option", { value: claim }, `${name} (${count})`)));
  select.value = counted.some(([claim, , count]) => claim === before && count) ? before : "";
}

/** Sets fields, filters, and leads to the pictures. */
function jump(values) {
  form.reset();
  for (const [name, value] of Object.entries(values)) {
    const control = form.elements.namedItem(name);
    if (control) control.value = value;
  }
  fillClaims();
  apply();
  const section = document.getElementById("gallery");
  section.focus({ preventScroll: true });
  section.scrollIntoView();
}

function turn(event) {
  const step = Number(event.target.dataset?.step);
  if (!step) return;
  page += step;
  drawPage();
  document.querySelector(".bar").scrollIntoView({ block: "start" });
}

form.addEventListener("input", () => { fillClaims(); apply(); });
form.addEventListener("submit", (event) => event.preventDefault());
// The fields change only after this event.
form.addEventListener("reset", () => setTimeout(() => { fillClaims(); apply(); }));
pagers.forEach((pager) => pager.addEventListener("click", turn));
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") document.activeElement?.blur();
});
for (const button of document.querySelectorAll("[data-word]")) {
  const revision = button.closest("[data-revision]")?.dataset.revision ?? "0";
  button.addEventListener("click", () => jump({ words: button.dataset.word, place: "both", revision }));
}
for (const button of document.querySelectorAll("[data-changes]")) {
  button.addEventListener("click", () => jump({ revision: button.dataset.changes, order: "change:size" }));
}
const byNumber = new Map(gallery.items.map((item) => [item.number, item]));
for (const strip of document.querySelectorAll("[data-numbers]")) {
  const numbers = strip.dataset.numbers.split(" ").map(Number);
  strip.append(...numbers.map((each) => cardOf(byNumber.get(each), gallery)));
}
form.hidden = false;
fillClaims();
apply();
