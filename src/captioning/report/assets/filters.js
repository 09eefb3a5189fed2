/** Which items are shown, and in which order. Nothing here touches the page. */

// Scripts that are written without spaces between words.
const UNSPACED = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]/u;

/** A test for a word in a text: as a whole word, or anywhere in scripts without spaces. */
function wordTest(word) {
  const letters = word.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");
  const pattern = UNSPACED.test(word) ? letters : `(?<![\\p{L}\\p{N}])${letters}(?![\\p{L}\\p{N}])`;
  return new RegExp(pattern, "iu");
}

/** Tests for the words that must be in a text, and for those that must not. */
function parseQuery(query) {
  const words = query.normalize().split(/\s+/).filter((word) => word && word !== "-");
  const [without, within] = [[], []];
  for (const word of words) {
    if (word.startsWith("-")) without.push(wordTest(word.slice(1)));
    else within.push(wordTest(word));
  }
  return (text) => within.every((test) => test.test(text)) && !without.some((test) => test.test(text));
}

/** The texts of an item that are searched, as one. */
function searchedText(item, { place, revision }) {
  const caption = item.captions[revision];
  const texts = place === "references" || !caption ? [] : [caption.text];
  if (place !== "captions" || !caption) texts.push(...item.references);
  return texts.join("\n").normalize();
}

function score(item, key, revision) {
  return item.captions[revision]?.[key] ?? null;
}

function inRange(value, low, high) {
  if (low === null && high === null) return true;
  return value !== null && (low === null || value >= low) && (high === null || value <= high);
}

/** Whether an item's caption makes the wrong claims that are asked for. */
function claimMatches(item, { claim, revision }) {
  const wrong = item.captions[revision]?.wrong ?? [];
  if (!claim) return true;
  if (claim === "none") return !wrong.length;
  if (claim === "held_out") return Boolean(item.held_out);
  return claim === "any" ? wrong.length > 0 : wrong.includes(claim);
}

/** The items that a filter leaves, in its order. */
function chosenItems(items, filter) {
  const matches = parseQuery(filter.words);
  const left = items.filter((item) =>
    (!filter.split || item.split === filter.split) &&
    claimMatches(item, filter) &&
    inRange(score(item, filter.score, filter.revision), filter.low, filter.high) &&
    (!filter.words.trim() || matches(searchedText(item, filter))));
  if (!filter.order) return left;
  const [key, way] = filter.order.split(":");
  const rank = (item) => {
    const value = score(item, key, filter.revision);
    if (value === null) return Infinity; // Last, whatever the order.
    return way === "size" ? -Math.abs(value) : way === "down" ? -value : value;
  };
  return left.map((item) => [rank(item), item])
    .sort(([one, a], [other, b]) => (one === other ? a.number - b.number : one - other))
    .map(([, item]) => item);
}
