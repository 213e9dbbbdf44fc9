/** The entry point: TensorBoard calls `render` in an empty page. TensorBoard does not report errors of the page. */

/**
 * All modules of the page. With this list the browser fetches them at the same time, instead of one import after the
 * other. The server fills in the names (`tb_gradascent/plugin/assets.py`).
 * @type {string[]}
 */
const MODULES = [];

/** The style sheets, in this order: a later one may override an earlier one. */
const STYLES = [
  "base",
  "sidebar",
  "filters",
  "matrix",
  "legend",
  "toolbar",
  "strength",
  "menu",
  "appearance",
  "grid",
  "card",
  "response_curve",
  "thumbnail",
  "messages",
  "notices",
  "dialog",
  "detail",
  "downloads",
  "help",
  "follow",
  "compare",
  "range",
  "example",
  "overview",
  "pair",
];

export async function render() {
  try {
    MODULES.forEach(preload);
    const [{ start }] = await Promise.all([import("./app.js"), ...STYLES.map(addStyle)]);
    start(document.body);
  } catch (error) {
    showFailure(error);
  }
}

/** @param {string} name */
function preload(name) {
  const link = document.createElement("link");
  link.rel = "modulepreload";
  link.href = new URL(name, import.meta.url).href;
  document.head.append(link);
}

/** @param {string} name */
function addStyle(name) {
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = new URL(`style/${name}.css`, import.meta.url).href;
  return new Promise((resolve) => {
    // A page without a style sheet is still usable.
    link.onload = link.onerror = resolve;
    document.head.append(link);
  });
}

/** @param {unknown} error */
function showFailure(error) {
  const message = document.createElement("div");
  message.role = "alert";
  message.className = "problems";
  message.append(`The page could not be shown. ${error instanceof Error ? error.message : error} `);
  const retry = document.createElement("button");
  retry.textContent = "Retry";
  retry.onclick = () => window.location.reload();
  message.append(retry);
  document.body.replaceChildren(message);
}
