/** Small helpers for building the page. */

/**
 * An element with properties and children.
 *
 * @param {string} tag
 * @param {Object<string, *>} properties DOM properties; names with a dash are attributes, `on…`
 *   event listeners.
 * @param {...(Node|string|null)} children null is left out; strings become text, never HTML.
 */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name.includes("-") || name === "role") made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

const PERCENT = new Intl.NumberFormat("en", { style: "percent", maximumSignificantDigits: 2 });

/** A probability for people: `42%`, `0.31%`, or `<0.0001%`. */
export function percent(probability) {
  return probability > 0 && probability < 1e-6 ? "<0.0001%" : PERCENT.format(probability);
}

/** A message of the server as a sentence. */
export function sentence(message) {
  const begun = message.charAt(0).toUpperCase() + message.slice(1);
  return /[.!?]$/.test(begun) ? begun : `${begun}.`;
}

/** Reads a message to people who do not see the page. */
export function announce(message) {
  document.getElementById("announcements").textContent = message;
}
