/** The entry point: TensorBoard calls `render` in an empty page. TensorBoard does not report errors of the page. */

/**
 * All modules of the page. With this list the browser fetches them at the same time, instead of one import after the
 * other. The server fills in the names (`tb_gradascent/plugin/assets.py`). The list of the bundle is empty.
 * @type {string[]}
 */
const MODULES = [];

export async function render() {
  try {
    const styled = addStyle();
    MODULES.forEach(preload);
    // The server answers while the browser reads the other modules.
    const { fetchEarly } = await import("./data/api.js");
    fetchEarly({ chooses: choosesRuns() });
    const { start } = await import("./app.js");
    await styled;
    start(document.body);
  } catch (error) {
    showFailure(error);
  }
}

/** Shows the samples of a report: a file that holds the page and its data. There is no TensorBoard around it. */
async function renderReport(/** @type {string} */ text) {
  try {
    const [{ start }, { answerFrom }, { reportAnswers }, { standAlone }] = await Promise.all([
      import("./app.js"),
      import("./data/api.js"),
      import("./data/report_answers.js"),
      import("./host/tensorboard_host.js"),
    ]);
    const report = JSON.parse(text);
    answerFrom(reportAnswers(report));
    standAlone(report.link);
    document.documentElement.classList.add("report");
    start(document.body);
    document.title = report.title;
  } catch (error) {
    showFailure(error);
  }
}

/** Whether TensorBoard's address chooses the runs or the tag. `host/permalink.js` has the names of these fields. */
function choosesRuns() {
  try {
    return /[#&](p\.gradascent\.(runs|tag|runFilter)|regexInput)=/.test(window.parent.location.hash);
  } catch {
    return false;
  }
}

/** @param {string} name */
function preload(name) {
  const link = document.createElement("link");
  link.rel = "modulepreload";
  link.href = new URL(name, import.meta.url).href;
  document.head.append(link);
}

function addStyle() {
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = new URL("style.css", import.meta.url).href;
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

const report = document.getElementById("report");
if (report) renderReport(report.textContent ?? "");
