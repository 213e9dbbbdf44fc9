/** A tile for each run: its newest capture, its probes, its cost and its notices. */

import { formatCount, formatCounted, formatDistance, formatPercent } from "../../samples/captions.js";
import { ageCaption, overheadShare } from "../../samples/session_status.js";
import { rangeCaption } from "../../samples/step_ranges.js";
import { element } from "../common/dom.js";
import { sparkline } from "../common/small_charts.js";

/** @import {RunSummary} from "../../samples/run_summaries.js" */
/** @import {StepRange} from "../../samples/step_ranges.js" */

/** How many tiles are shown until the user asks for all. */
const AT_FIRST = 6;

/**
 * @typedef {object} TileOptions
 * @property {StepRange} range
 * @property {(run: string) => string} colourOf
 * @property {boolean} hasProbes whether any run has probes
 */

export class RunTiles {
  #list = element("ul", { className: "tiles" });
  #more = element("button", { type: "button", className: "more" });
  element = element("section", { ariaLabel: "Runs" }, this.#list, this.#more);
  #isWhole = false;
  /** @type {{node: HTMLElement, time: number}[]} */
  #ages = [];
  /** @type {{summaries: RunSummary[], options: TileOptions} | null} */
  #shown = null;

  constructor() {
    this.#more.addEventListener("click", () => {
      this.#isWhole = !this.#isWhole;
      if (this.#shown) this.show(this.#shown.summaries, this.#shown.options);
    });
  }

  /**
   * @param {RunSummary[]} summaries
   * @param {TileOptions} options
   */
  show(summaries, options) {
    this.#shown = { summaries, options };
    const shown = this.#isWhole ? summaries : summaries.slice(0, AT_FIRST);
    const trends = summaries.flatMap(({ trend }) => trend).filter((value) => value !== null && value < Infinity);
    const most = trends.reduce((/** @type {number} */ largest, value) => Math.max(largest, value ?? 0), 0);
    this.#ages = [];
    this.#list.replaceChildren(...shown.map((summary) => this.#tile(summary, options, most)));
    this.#more.hidden = summaries.length <= AT_FIRST;
    this.#more.textContent = this.#isWhole ? "Show fewer runs" : `Show all ${formatCount(summaries.length)} runs`;
    this.showAges();
  }

  /** Writes how old the newest captures are. */
  showAges() {
    for (const { node, time } of this.#ages) {
      const words = `last capture ${ageCaption(time, Date.now() / 1000)}`;
      if (node.textContent !== words) node.textContent = words;
    }
  }

  /**
   * @param {RunSummary} summary
   * @param {TileOptions} options
   * @param {number} most the largest distance of all lines
   */
  #tile(summary, options, most) {
    const { run, newest } = summary;
    const dot = element("span", { className: "run-colour" });
    dot.style.background = options.colourOf(run);
    const step = newest ? `step ${formatCount(newest.step)}` : "no capture yet";
    return element(
      "li",
      { className: "tile" },
      element("h2", {}, dot, element("span", { className: "run-name", title: run }, run), element("small", {}, step)),
      element("div", { className: "figures" }, ...this.#figures(summary, options, most)),
      element("p", { className: "foot" }, ...this.#foot(summary)),
    );
  }

  /**
   * @param {RunSummary} summary
   * @param {TileOptions} options
   * @param {number} most
   */
  #figures(summary, { range, colourOf, hasProbes }, most) {
    const { run, probes, right, labelled, distance, trend, captured, judged, wrong } = summary;
    const when = rangeCaption(range);
    const figures = [];
    if (labelled) {
      const words = `${formatCount(right)} of ${formatCounted(labelled, "probe")} right`;
      figures.push(figure(formatPercent(right / labelled), words, `Each probe at its newest step, ${when}`));
    }
    if (distance !== null) {
      const chart = sparkline(trend, {
        most,
        colour: colourOf(run),
        label: `The median flip distance of the probes of ${run} through the training`,
      });
      const charts = trend.filter((value) => value !== null).length > 1 ? [chart] : [];
      const title = `The median distance at which a probe of this run gets another prediction, ${when}`;
      figures.push(figure(formatDistance(distance), "distance to flip a probe", title, ...charts));
    }
    if (figures.length) return figures;
    const share = judged ? formatPercent(wrong / judged) : "–";
    const unknown = `${formatCounted(captured, "captured sample")} without a label`;
    const nothing = captured ? unknown : "nothing captured in this range";
    const kind = judged < captured ? "labelled sample" : "captured sample";
    const caption = judged ? `${formatCount(wrong)} of ${formatCounted(judged, kind)} wrong` : nothing;
    const reason = probes.length || hasProbes ? `No probe at ${when}.` : "No probes:";
    const hint = element("p", { className: "hint" }, reason);
    if (!hasProbes) hint.append(" give the hook fixed samples with ", element("code", {}, "hook.probe(…)"), ".");
    return [figure(share, caption, `Captured samples that are wrong, ${when}`), hint];
  }

  /** @param {RunSummary} summary */
  #foot({ newest, status, notices }) {
    const parts = [];
    if (newest) {
      const age = element("span", { title: new Date(1000 * newest.wall_time).toLocaleString() });
      this.#ages.push({ node: age, time: newest.wall_time });
      parts.push(age);
    }
    if (status?.ended) parts.push(element("span", {}, "training ended"));
    const share = status && overheadShare(status);
    if (share !== null) {
      const title = `The time that captures took${status?.unlimited ? ". The hook was told max_overhead=None" : ""}`;
      parts.push(element("span", { title }, share));
    }
    if (notices.length) {
      const worst = notices.some(({ severity }) => severity === "error") ? "error" : "warning";
      const isHint = notices.every(({ severity }) => severity === "info");
      const title = notices.map(({ message }) => message).join("\n");
      parts.push(
        element(
          "span",
          { className: `badge ${isHint ? "info" : worst}`, title },
          formatCounted(notices.length, isHint ? "hint" : "notice"),
        ),
      );
    }
    return parts;
  }
}

/**
 * @param {string} value
 * @param {string} caption
 * @param {string} title
 * @param {...Element} more
 */
function figure(value, caption, title, ...more) {
  return element(
    "div",
    { className: "figure", title },
    element("div", { className: "value" }, element("strong", {}, value), ...more),
    element("span", {}, caption),
  );
}
