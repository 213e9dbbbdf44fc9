/** Small charts without axes: a line and bars through the training. */

import { element, svgElement } from "./dom.js";

const LINE = { width: 120, height: 28 };
const MARGIN = 3;

/**
 * A line through the training. Infinity is at the top; a missing value interrupts the line.
 * @param {(number | null)[]} values one for each bin
 * @param {object} options
 * @param {number} [options.most] the value at the top; the default is the largest finite value
 * @param {string} [options.colour] the default is the page's
 * @param {string} options.label describes the line
 */
export function sparkline(values, { most, colour, label }) {
  const { width, height } = LINE;
  const finite = values.filter((value) => value !== null && value < Infinity);
  const end = most ?? Math.max(...finite.map(Number), 0);
  const chart = svgElement("svg", { class: "sparkline", viewBox: `0 0 ${width} ${height}`, role: "img" });
  chart.setAttribute("aria-label", label);
  chart.setAttribute("preserveAspectRatio", "none");
  const unit = (width - 2 * MARGIN) / Math.max(values.length - 1, 1);
  const points = values.flatMap((value, at) => {
    if (value === null) return [];
    const share = end > 0 ? Math.min(value / end, 1) : 0;
    return [[MARGIN + at * unit, height - MARGIN - share * (height - 2 * MARGIN)]];
  });
  if (points.length > 1) chart.append(svgElement("polyline", { points: points.map(String).join(" ") }));
  const last = points.at(-1);
  if (last) {
    const [x, y] = last;
    chart.append(svgElement("line", { class: "newest", x1: x, x2: x, y1: y, y2: y }));
  }
  if (colour) chart.style.setProperty("--line", colour);
  return chart;
}

/**
 * Bars through the training. Those within a range stand out.
 * @param {number[]} counts one for each bin
 * @param {{first: number, last: number}} range the first and the last bin of the range
 * @param {string} label describes the bars
 */
export function bars(counts, { first, last }, label) {
  const most = Math.max(...counts, 1);
  const nodes = counts.map((count, at) => {
    const bar = element("i", { className: at >= first && at <= last ? "within" : "" });
    bar.style.height = `${count ? Math.max((100 * count) / most, 8) : 0}%`;
    return bar;
  });
  const chart = element("div", { className: "bars", role: "img", ariaLabel: label }, ...nodes);
  return chart;
}
