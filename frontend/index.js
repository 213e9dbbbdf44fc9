/** TensorBoard's entry point: it calls `render` in an empty page, and says nothing of what fails. */

/** In this order: later ones build on earlier ones. */
const STYLES = [
  "base",
  "pane",
  "filters",
  "matrix",
  "legend",
  "bar",
  "strength",
  "menu",
  "appearance",
  "grid",
  "card",
  "response_curve",
  "messages",
  "dialog",
  "detail",
  "downloads",
  "help",
  "follow",
  "compare",
];

export async function render() {
  try {
    await Promise.all(STYLES.map(addStyle));
    const { start } = await import("./app.js");
    start(document.body);
  } catch (error) {
    showFailure(error);
  }
}

/** @param {string} name */
function addStyle(name) {
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = new URL(`style/${name}.css`, import.meta.url).href;
  return new Promise((resolve) => {
    // A page without style is still a page.
    link.onload = link.onerror = resolve;
    document.head.append(link);
  });
}

/** @param {unknown} error */
function showFailure(error) {
  const message = document.createElement("div");
  message.role = "alert";
  message.className = "problems";
  message.append(`The page could not be built: ${error instanceof Error ? error.message : error} `);
  const retry = document.createElement("button");
  retry.textContent = "Retry";
  retry.onclick = () => window.location.reload();
  message.append(retry);
  document.body.replaceChildren(message);
}
