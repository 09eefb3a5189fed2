/** Talks to the server, and turns what goes wrong into plain words. */

import { sentence } from "./dom.js";

const TOKEN = "captioning-token";
// In seconds: for how long to ask a busy server again, and the longest pause in between. A server that
// has just been started prepares its model for half a minute.
const PATIENCE = 120;
const LONGEST_PAUSE = 30;

/** What went wrong. `status` is that of the answer, or 0 if there was none. */
export class ServerError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }

  /** Whether the fault is not in the request, so that trying again makes sense. */
  get temporary() {
    return [0, 401, 408, 429].includes(this.status) || this.status >= 500;
  }
}

const MESSAGES = {
  401: "The server did not accept the token.",
  413: "This picture is too large for the server. Scale it down and try again.",
  503: "The server is busy. Try again in a moment.",
};

/** One message for the status, or the server's own; for a busy server its own says more. */
async function failure(answer) {
  let told;
  try {
    told = sentence((await answer.json()).error.message);
  } catch {
    // A proxy in between may answer with a page of its own.
  }
  const { status } = answer;
  const known = status === 503 ? undefined : MESSAGES[status];
  return new ServerError(
    status, known ?? told ?? MESSAGES[status] ?? `The server failed (status ${status}).`);
}

let question = null;

/** Asks for the token; requests that fail at the same time share one question. */
function askForToken() {
  question ??= new Promise((resolve) => {
    const dialog = document.getElementById("token-dialog");
    const input = document.getElementById("token");
    dialog.returnValue = "cancel";
    dialog.addEventListener("close", () => {
      const given = dialog.returnValue === "use";
      if (given) sessionStorage.setItem(TOKEN, input.value);
      input.value = "";
      question = null;
      resolve(given);
    }, { once: true });
    // Not a submit button: Enter in the field would press it, because it comes first.
    document.getElementById("token-cancel").onclick = () => dialog.close("cancel");
    dialog.showModal();
  });
  return question;
}

async function send(path, options) {
  const token = sessionStorage.getItem(TOKEN);
  const headers = { ...options.headers, ...(token && { Authorization: `Bearer ${token}` }) };
  try {
    return { token, answer: await fetch(path, { ...options, headers }) };
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServerError(0, "The server does not answer. Is it still running?");
  }
}

function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    }, { once: true });
  });
}

/**
 * Sends a request: asks for a token if the server wants one, and waits while the server is busy.
 *
 * @param {string} path relative to the page, so that the server may be behind any path.
 * @param {RequestInit} options
 * @param {function(string, number): void} onWait is told why the request waits, and how many seconds.
 * @throws {ServerError}
 */
export async function request(path, options = {}, onWait = () => {}) {
  for (let waited = 0, seconds = 0; ; waited += seconds) {
    const { token, answer } = await send(path, options);
    if (answer.ok) return answer;
    if (answer.status === 401) {
      // Another request may have asked meanwhile.
      const changed = sessionStorage.getItem(TOKEN) !== token;
      if (changed || (await askForToken())) continue;
    }
    const problem = await failure(answer);
    if (answer.status !== 503 || waited >= PATIENCE) throw problem;
    const asked = Number(answer.headers.get("Retry-After")) || 1;
    seconds = Math.min(Math.max(asked, waited / 4), LONGEST_PAUSE);
    onWait(problem.message, Math.ceil(seconds));
    await pause(seconds, options.signal);
  }
}

/** Facts about the model, see `/docs`. */
export async function fetchModel() {
  return (await request("v1/model")).json();
}

/** Pictures of the test split: `[{id, url, references}]`. */
export async function fetchExamples() {
  return (await request("v1/examples")).json();
}

/**
 * Captions of one picture. Pictures are sent one by one: each card then has its own progress and its
 * own errors, and the server puts simultaneous requests into one batch.
 *
 * @param {{name: string, upload: ?Blob, url: ?string}} picture
 * @param {Object<string, *>} settings
 * @returns {Promise<object>} the answer with its only result as `result`.
 */
export async function fetchCaptions(picture, settings, signal, onWait) {
  const asked = { ...settings, attention: true };
  const options = { method: "POST", signal };
  if (picture.upload) {
    options.body = new FormData();
    options.body.append("images", picture.upload, picture.name);
    for (const [name, value] of Object.entries(asked)) options.body.append(name, value);
  } else {
    options.headers = { "Content-Type": "application/json" };
    options.body = JSON.stringify({ images: [{ url: picture.url }], ...asked });
  }
  const answer = await (await request("v1/captions", options, onWait)).json();
  return { ...answer, result: answer.results[0] };
}
