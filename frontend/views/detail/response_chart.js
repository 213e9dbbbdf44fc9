/** A large response curve with axes: the probabilities along a morph. */

import { className, formatPart, formatPercent, formatStrength } from "../../samples/captions.js";
import { flipOf } from "../../samples/verdict.js";
import { element, svgElement } from "../common/dom.js";

/** @import {Morph, Sample, Target} from "../../types.js" */

const WIDTH = 340;
const HEIGHT = 190;
const LEFT = 44;
const RIGHT = 12;
const TOP = 22;
const BOTTOM = 34;

export class ResponseChart {
  #now;
  element;

  /**
   * @param {Sample} sample
   * @param {Target} target
   * @param {Morph} morph of the target
   */
  constructor(sample, target, morph) {
    this.sample = sample;
    const { strengths, session, classes } = sample;
    this.largest = strengths[strengths.length - 1] || 1;
    const goal = className(session.class_names, target.index);
    const original = className(session.class_names, classes[0]);
    this.#now = svgElement("line", { class: "now", y1: TOP, y2: HEIGHT - BOTTOM });
    const chart = svgElement(
      "svg",
      {
        viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
        role: "img",
        "aria-label": `Probability of ${goal} along the morph: ${strengths
          .map(
            (strength, position) => `${formatPercent(morph.probabilities[position])} with ${formatStrength(strength)}`,
          )
          .join(", ")}`,
      },
      ...this.#axes(),
      this.#now,
    );
    if (classes.length && classes[0] !== target.index) {
      chart.append(...this.#curve(morph.original_probabilities, "original"));
    }
    chart.append(
      ...morph.judges.flatMap(({ probabilities }, position) => this.#curve(probabilities, judgeClass(position))),
      ...this.#curve(morph.probabilities, "target"),
      ...this.#flip(morph),
    );
    const legend = element("figcaption", {}, key("target", `target ${goal}`));
    if (classes.length && classes[0] !== target.index) {
      legend.append(key("original", `original prediction ${original}`));
    }
    legend.append(
      ...morph.judges.map(({ name }, position) => key(judgeClass(position), `${name}: ${goal}`)),
    );
    this.element = element("figure", { className: "response" }, chart, legend);
  }

  #axes() {
    const bottom = HEIGHT - BOTTOM;
    const rows = [0, 0.25, 0.5, 0.75, 1].flatMap((probability) => {
      const y = this.#y(probability);
      const line = svgElement("line", { class: "rule", x1: LEFT, x2: WIDTH - RIGHT, y1: y, y2: y });
      return [line, label(LEFT - 6, y + 4, formatPercent(probability), "end")];
    });
    const step = this.largest > 2 ? Math.ceil(this.largest / 5) : 0.25;
    const columns = [];
    for (let strength = 0; strength <= this.largest + 1e-6; strength += step) {
      columns.push(label(this.#x(strength), bottom + 16, String(Number((100 * strength).toFixed(2))), "middle"));
    }
    const title = label((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 4, "% of the change", "middle");
    return [...rows, ...columns, title];
  }

  /** @param {Morph} morph */
  #flip(morph) {
    const flip = flipOf(morph, this.sample.strengths);
    if (!flip) return [];
    const x = this.#x(flip);
    // Above the plot, so that the words cover no curve.
    const anchor = x > 0.7 * WIDTH ? "end" : x < 0.3 * WIDTH ? "start" : "middle";
    return [
      svgElement("line", { class: "flip-line", x1: x, x2: x, y1: TOP, y2: HEIGHT - BOTTOM }),
      label(x, TOP - 6, `flips after ${formatPart(flip)}`, anchor),
    ];
  }

  /**
   * @param {number[]} probabilities
   * @param {string} kind
   */
  #curve(probabilities, kind) {
    const points = this.sample.strengths.flatMap((strength, position) =>
      Number.isFinite(probabilities[position]) ? [[this.#x(strength), this.#y(probabilities[position])]] : [],
    );
    return [
      svgElement("polyline", { class: kind, points: points.map((point) => point.join()).join(" ") }),
      ...points.map(([cx, cy]) => svgElement("circle", { class: kind, cx, cy, r: 2.5 })),
    ];
  }

  /** @param {number} strength */
  showStrength(strength) {
    const x = String(this.#x(Math.min(strength, this.largest)));
    this.#now.setAttribute("x1", x);
    this.#now.setAttribute("x2", x);
  }

  /** @param {number} strength */
  #x(strength) {
    return LEFT + (strength / this.largest) * (WIDTH - LEFT - RIGHT);
  }

  /** @param {number} probability a number outside 0 to 1 is drawn at the edge */
  #y(probability) {
    return TOP + (1 - Math.min(Math.max(probability, 0), 1)) * (HEIGHT - TOP - BOTTOM);
  }
}

/**
 * @param {number} x
 * @param {number} y
 * @param {string} words
 * @param {string} anchor
 */
function label(x, y, words, anchor) {
  return svgElement("text", { x, y, "text-anchor": anchor }, document.createTextNode(words));
}

/** @param {number} position */
function judgeClass(position) {
  return `judge judge-${position}`;
}

/**
 * An entry of the legend.
 * @param {string} kind the class of the curve
 * @param {string} words
 */
function key(kind, words) {
  return element("span", { className: "entry" }, element("span", { className: `key ${kind}` }), words);
}
