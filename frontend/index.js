/** TensorBoard's entry point: it calls `render` in an empty page, and says nothing of what fails. */

export async function render() {
  try {
    await addStyle();
    const { start } = await import("./app.js");
    start(document.body);
  } catch (error) {
    showFailure(error);
  }
}

function addStyle() {
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = new URL("style.css", import.meta.url).href;
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
