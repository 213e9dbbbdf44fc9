/** The captures of one sample over the training: a line of its signed margin. A click on a dot opens that capture. */

import { WRONG_MARK, classCaption, className, formatCount, formatSigned, isWrong } from "../../samples/captions.js";
import { signedMargin } from "../../samples/signed_margin.js";
import { element, svgElement } from "../common/dom.js";

/** @import {Sample} from "../../types.js" */

const HEIGHT = 44;
/** Space above and below, so that no dot is cut. */
const INSET = 6;
/** The dots beyond this number are only a line. */
const MOST_DOTS = 200;

/**
 * @param {Sample[]} captures from the earliest step to the latest
 * @param {Sample} shown one of them
 * @param {(sample: Sample) => void} onOpen
 * @returns {HTMLElement[]} empty if there is only one capture
 */
export function captureStrip(captures, shown, onOpen) {
  if (captures.length < 2) return [];
  const [first, last] = [captures[0].step, captures[captures.length - 1].step];
  const x = (/** @type {number} */ step) => (last === first ? 50 : (100 * (step - first)) / (last - first));
  const margins = captures.map(signedMargin);
  const lowest = margins.some((margin) => margin < 0) ? -1 : 0;
  const y = (/** @type {number} */ margin) =>
    INSET + ((1 - Math.min(Math.max(margin, lowest), 1)) / (1 - lowest)) * (HEIGHT - 2 * INSET);
  const points = captures.flatMap(({ step }, at) =>
    Number.isFinite(margins[at]) ? [`${x(step)},${y(margins[at])}`] : [],
  );
  const chart = svgElement("svg", { viewBox: `0 0 100 ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" });
  chart.append(
    svgElement("line", { class: "rule", x1: 0, x2: 100, y1: y(0), y2: y(0) }),
    svgElement("polyline", { points: points.join(" ") }),
  );
  const strip = element("div", { className: "captures", role: "group", ariaLabel: "Captures of this sample" });
  strip.append(chart);
  const dots = captures.length > MOST_DOTS ? [shown] : captures;
  const buttons = dots.map((sample) => {
    const caption = captionOf(sample);
    const dot = element("button", { type: "button", className: "capture", title: caption, ariaLabel: caption });
    dot.classList.toggle("false", isWrong(sample));
    dot.ariaCurrent = String(sample.key === shown.key);
    dot.tabIndex = sample.key === shown.key ? 0 : -1;
    const margin = signedMargin(sample);
    Object.assign(dot.style, { left: `${x(sample.step)}%`, top: `${y(Number.isFinite(margin) ? margin : 0)}px` });
    dot.addEventListener("click", () => onOpen(sample));
    return dot;
  });
  strip.append(...buttons);
  strip.addEventListener("keydown", (event) => {
    const way = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    const next = buttons[buttons.findIndex((one) => one === event.target) + way];
    if (!way) return;
    event.preventDefault();
    event.stopPropagation();
    next?.focus();
  });
  const steps = element(
    "div",
    { className: "steps-of-captures" },
    element("span", {}, `step ${formatCount(first)}`),
    element("span", { title: "The probability of the label minus that of the most probable other class" }, "signed margin"),
    element("span", {}, `step ${formatCount(last)}`),
  );
  return [element("div", { className: "captures-of-sample" }, strip, steps)];
}

/** @param {Sample} sample */
function captionOf(sample) {
  const { step, classes, probabilities, session } = sample;
  const said = classes.length ? classCaption(className(session.class_names, classes[0]), probabilities[0]) : "no prediction";
  const wrong = isWrong(sample) ? WRONG_MARK : "";
  return `step ${formatCount(step)}: ${said}${wrong}, signed margin ${formatSigned(signedMargin(sample))}`;
}
