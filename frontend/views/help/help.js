/** The help: what every picture and number is, where it comes from, and the keys. */

import { exampleOf } from "../../samples/example.js";
import { KEYS } from "../common/keyboard.js";
import { Dialog } from "../common/dialog.js";
import { element } from "../common/dom.js";
import { HelpFigures } from "./help_figures.js";
import { AXES, MatrixTable } from "../sidebar/matrix_table.js";

/** @import {ArrayCache} from "../../data/array_cache.js" */
/** @import {ConfusionMatrix} from "../../samples/confusion_matrix.js" */
/** @import {Sample} from "../../types.js" */
/** @import {Scene} from "../common/sample_view.js" */

/** @type {[topic: string, figure: string | null, words: string][]} */
const TOPICS = [
  [
    "The original",
    "original",
    "The image exactly as the network saw it, turned back into what a person would be shown: x · std + mean, if the " +
      "hook was told them. The title says its most probable classes, with their probabilities (the softmax of the " +
      "logits), and its true class; a wrong prediction is red.",
  ],
  [
    "The gradient",
    "gradient",
    "g = ∂s / ∂x: how the score s of the target class would change with each pixel of this one image, the weights " +
      "staying as they are. The score is the target's logit, unless the hook was given another. Red pixels raise it " +
      "when they brighten, blue ones lower it, the page's colour is zero. Of an image in colour the sum over its " +
      "channels is painted. Its magnitude is the saliency map of Simonyan et al. [2]. Early in a training it is " +
      "noise; as the network learns, strokes appear.",
  ],
  [
    "The ascent",
    "ascent",
    "Falcon and Canziani [1] added an image's gradient to the image until the network saw another digit. Here each " +
      "step follows the margin m = logit of the target − log Σ exp(the other logits), whose sigmoid is the target's " +
      "probability. By default a step is x ← x + (m* − m) · g / ‖g‖², with g = ∂m / ∂x: as long as m is nearly linear, " +
      "the shortest that reaches the margin m*. That is the step of DeepFool [5], aimed at a confidence and not at the " +
      "boundary, and a little beyond it: the ascent ends when the target has a probability of 0.95, or after 8 steps, " +
      "and most of what was too much is taken back. Given a step size it is x ← x + step_size · g instead, or within " +
      "an epsilon the projected steps of the attacks [3, 4]. What it ends with minus the original is delta.",
  ],
  [
    "The morph",
    "morph",
    "original + strength × delta, for all samples at the strength of the one slider. At 0 it is the original, at 1 the " +
      "end of the ascent, and beyond that it goes further along the same line. How little it takes is the point: " +
      "directions like these are what Szegedy et al. [3] and Goodfellow et al. [4] found networks to be so sensitive to.",
  ],
  [
    "What the network says of it",
    "response",
    "While it trained, the network itself was asked about the morph at several strengths: the points of the curve. At " +
      "those the page repeats its answer. Between two it says ≈ and interpolates the probability, or names both classes " +
      "where the answer changed; beyond the last it says nothing. The flip is the smallest of those strengths at which " +
      "the network says the target.",
  ],
  [
    "The flip distance",
    "distance",
    "‖delta‖ × the strength of the flip, in the model's units: how far the image had to be changed until the network " +
      "said the target. A small one on a picture that still looks like what it was is a decision that hangs on little.",
  ],
  [
    "Margin, entropy and loss",
    "measures",
    "Three measures of confusion. The margin is the largest probability minus the second largest (Scheffer et al. [6]): " +
      "the smaller, the more confused. The entropy, −Σ p log₂ p, is in bits: 1 is a coin toss between two classes. The " +
      "loss is the cross entropy, −ln p of the true class, in nats. Active learning chooses by the first two which " +
      "samples to ask a person about (Settles [7]).",
  ],
  [
    "The confusion matrix",
    "matrix",
    "How many of the samples that are shown are of each pair of classes: the stronger a cell's colour, the more. Framed " +
      "cells are right answers, and take no part in the colours. A click on a cell leaves its samples alone, another " +
      "brings back the rest. It counts what was captured, confused samples and probes, and not a whole data set.",
  ],
  [
    "Follow and Compare",
    null,
    "A probe, or an id that was captured more than once, can be followed from step to step. Two runs are compared on " +
      "the samples whose id both recorded, each at the step nearest to the other's.",
  ],
  [
    "The counts",
    null,
    "“48 of 10,312 samples”: those that the filters leave, of all that were recorded for the runs and the tag that are " +
      "chosen. Nothing is sampled away. Samples that were damaged, lost in writing, or recorded again after a restart " +
      "from a checkpoint are counted beside it.",
  ],
];

/** @type {[words: string, address: string][]} */
const SOURCES = [
  [
    "W. Falcon, A. Canziani: Peering inside the black box: how to trick a neural network. 2020",
    "https://towardsdatascience.com/peering-inside-the-blackbox-how-to-trick-a-neural-network-757c90a88a73",
  ],
  [
    "K. Simonyan, A. Vedaldi, A. Zisserman: Deep inside convolutional networks: visualising image classification models and saliency maps. 2013",
    "https://arxiv.org/abs/1312.6034",
  ],
  ["C. Szegedy et al.: Intriguing properties of neural networks. 2013", "https://arxiv.org/abs/1312.6199"],
  [
    "I. Goodfellow, J. Shlens, C. Szegedy: Explaining and harnessing adversarial examples. 2014",
    "https://arxiv.org/abs/1412.6572",
  ],
  [
    "S.-M. Moosavi-Dezfooli, A. Fawzi, P. Frossard: DeepFool: a simple and accurate method to fool deep neural networks. 2016",
    "https://arxiv.org/abs/1511.04599",
  ],
  [
    "T. Scheffer, C. Decomain, S. Wrobel: Active hidden Markov models for information extraction. 2001",
    "https://doi.org/10.1007/3-540-44816-0_31",
  ],
  [
    "B. Settles: Active learning literature survey. University of Wisconsin–Madison, 2009",
    "https://minds.wisconsin.edu/handle/1793/60660",
  ],
];

/**
 * @typedef {object} Shown what the page shows at this moment
 * @property {Sample[]} samples
 * @property {ConfusionMatrix} matrix
 * @property {(index: number) => string} nameOf
 */

export class Help {
  #dialog = new Dialog("help", () => this.#closed());
  /** @type {Map<string, HTMLElement>} where each figure stands */
  #places = new Map();
  /** @type {HelpFigures | null} */
  #figures = null;
  element = this.#dialog.element;
  button = element("button", { type: "button", ariaLabel: "Help", title: "What everything means; also the key ?" }, "?");

  /**
   * @param {Scene} scene
   * @param {object} page
   * @param {ArrayCache} page.arrays
   * @param {() => Shown} page.shown
   */
  constructor(scene, { arrays, shown }) {
    this.scene = scene;
    this.arrays = arrays;
    this.shown = shown;
    this.#dialog.heading.textContent = "What you see, and the keys";
    this.#dialog.content.append(
      section("Keys", keyTable()),
      element(
        "div",
        { className: "topics" },
        ...TOPICS.map(([topic, figure, words]) => section(topic, element("p", {}, words), ...this.#placeFor(figure))),
        section("Sources", element("ol", {}, ...SOURCES.map(([words, address]) => element("li", {}, link(words, address))))),
      ),
    );
    this.button.addEventListener("click", () => this.open());
  }

  /** @param {string | null} figure */
  #placeFor(figure) {
    if (figure === null) return [];
    const place = element("div", { className: "illustration" });
    this.#places.set(figure, place);
    return [place];
  }

  open() {
    const { samples, matrix, nameOf } = this.shown();
    const example = exampleOf(samples);
    if (example) this.#show(new HelpFigures(example.sample, example.place));
    if (matrix.classes.length) this.#put("matrix", matrixFigure(matrix, nameOf));
    this.#dialog.open();
  }

  /** @param {HelpFigures} figures */
  async #show(figures) {
    this.#figures = figures;
    try {
      const arrays = await this.arrays.get(figures.sample);
      if (this.#figures !== figures) return;
      figures.showArrays(arrays, this.scene);
      for (const [name, figure] of Object.entries(figures.elements)) this.#put(name, figure);
    } catch {
      // The words do without; what is wrong with the sample stands on its card.
    }
  }

  /**
   * @param {string} name
   * @param {HTMLElement} figure
   */
  #put(name, figure) {
    this.#places.get(name)?.replaceChildren(figure);
  }

  #closed() {
    this.#figures = null;
    for (const place of this.#places.values()) place.replaceChildren();
  }

  /** @param {Scene} scene */
  setScene(scene) {
    this.scene = scene;
    this.#figures?.setScene(scene);
  }
}

/**
 * @param {ConfusionMatrix} matrix
 * @param {(index: number) => string} nameOf
 */
function matrixFigure(matrix, nameOf) {
  const table = new MatrixTable();
  table.show(matrix, nameOf);
  // A picture only: the one that filters stands in the pane.
  table.element.inert = true;
  const { rows, columns } = AXES[matrix.axes];
  return element("figure", { className: "matrix" }, element("p", {}, `↓ ${rows}, → ${columns}`), table.element);
}

function keyTable() {
  const rows = KEYS.map(([keys, meaning]) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, ...keys.flatMap((key) => [element("kbd", {}, key), " "])),
      element("td", {}, meaning),
    ),
  );
  return element("table", {}, element("tbody", {}, ...rows));
}

/**
 * @param {string} words
 * @param {string} href
 */
function link(words, href) {
  return element("a", { href, target: "_blank", rel: "noreferrer" }, words);
}

/**
 * @param {string} title
 * @param {...HTMLElement} content
 */
function section(title, ...content) {
  return element("section", {}, element("h3", {}, title), ...content);
}
