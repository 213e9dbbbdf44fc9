/** The help: the keys, and what every picture and number means. */

import { exampleOf } from "../../samples/help_example.js";
import { KEYS } from "../common/key_commands.js";
import { Dialog } from "../common/dialog.js";
import { element } from "../common/dom.js";
import { HelpFigures } from "./help_figures.js";
import { AXES, MatrixTable } from "../sidebar/matrix_table.js";

/** @import {ArrayCache} from "../../data/array_cache.js" */
/** @import {ConfusionMatrix} from "../../samples/confusion_matrix.js" */
/** @import {Sample} from "../../types.js" */
/** @import {DisplaySettings} from "../common/sample_view.js" */

/** @type {[topic: string, figure: string | null, words: string][]} */
const TOPICS = [
  [
    "The original",
    "original",
    "The image as the network received it. It is converted back to display values (x · std + mean) if the hook " +
      "has a mean and a std. The title names the most probable classes with their probabilities (the softmax of " +
      "the logits), and the label. The label is red and marked with ✗ if the prediction is wrong.",
  ],
  [
    "The gradient",
    "gradient",
    "g = ∂s / ∂x: how the score s of the target class changes with each pixel of this one image. The weights " +
      "stay fixed. The score is the logit of the target, unless the hook has another score. A red pixel raises " +
      "the score if it becomes brighter, and a blue pixel lowers it. The background colour means zero. For a " +
      "colour image, the page paints the sum over the channels. The colours end at the 99th percentile of the " +
      "magnitudes, so that a few outliers do not make all else pale. The magnitude is the saliency map of Simonyan " +
      "et al. [2]. An image with a side above 96 pixels shows the smoothed magnitude, as heat over the darkened " +
      "original. The Appearance menu has all styles. A gradient says how sensitive the score is to a pixel. It does " +
      "not say that the pixel caused the prediction. Early in the training the gradient is noise. Later it shows " +
      "strokes.",
  ],
  [
    "The ascent",
    "ascent",
    "Falcon and Canziani [1] added the gradient to an image until the network saw another digit. Here each " +
      "step follows the margin m = logit of the target − log Σ exp(the other logits). The sigmoid of m is the " +
      "probability of the target. By default a step is x ← x + (m* − m) · g / ‖g‖², with g = ∂m / ∂x. While m is " +
      "nearly linear, this is the shortest step that reaches the margin m*. It is the step of DeepFool [5], but " +
      "it aims at a confidence instead of the decision boundary, and slightly beyond it. The ascent ends when " +
      "the target has a probability of 95 %, or after 8 steps. Then most of the excess is taken back. With a " +
      "step size, a step is x ← x + step_size · g. With an epsilon, the steps are the projected steps of the " +
      "attacks [3, 4]. The delta is the end of the ascent minus the original.",
  ],
  [
    "The morph",
    "morph",
    "morph = original + strength × delta, clipped to the bounds: what the network was asked about. One slider sets the " +
      "strength for all samples, as a part of the change: 0 % is the original, and 100 % is the end of the ascent. A larger " +
      "strength continues in the same direction. " +
      "“Each at its flip” shows each morph at the strength where the prediction becomes the target. A morph that " +
      "never flips is shown with the whole change and is marked. Press a morph, or hold the key B, to see the original in its " +
      "place. The class that the network predicts already has a gradient and no morph.",
  ],
  [
    "Smallest and visible morphs",
    null,
    "The smallest morph is the smallest change that convinces the network. It shows how fragile the prediction is. " +
      "Often a person cannot see it: Szegedy et al. [3] and Goodfellow et al. [4] found that networks are sensitive " +
      "to such directions. The visible morph prefers changes that a person can see: smooth ones in natural colours " +
      "(Olah et al. [8]) that also convince the network after small random shifts, scalings and noise (Athalye et " +
      "al. [9]). It shows what the network looks for. Neither morph shows why the network made its prediction: both " +
      "show a sensitivity, not a cause. And a visible change is not always a meaningful one. A flip distance beside a " +
      "picture is that of the morph that is shown. The filters, the orders and the Overview mean the smallest morph.",
  ],
  [
    "The change",
    "change",
    "The delta alone, painted larger: “×33” means that it is enlarged 33 times, so that its 99th percentile reaches " +
      "the end of the colours. Grey images use the colours of the gradient: red pixels become brighter, blue ones " +
      "darker. Colour images show their channels around a middle grey. The caption gives the true size: 255/255 is " +
      "the whole range from black to white. A strong pattern here can be invisible in the morph.",
  ],
  [
    "Survival",
    null,
    "The hook changes each finished morph a little and asks the network again: shifts by one pixel, blur, noise and " +
      "rounding to 8 bits. “Holds in 7 of 8 small changes” means that the network still predicts the target after " +
      "seven of them. Fewer than five of eight are called fragile: the morph depends on exact pixel values. A morph " +
      "that holds is stable for this network. It can still mean nothing to a person.",
  ],
  [
    "Judges",
    null,
    "Judges are other networks that took no part in the ascent. “ema: 88 %” is the probability that the judge ema " +
      "gives to the target, at the strength that is shown. The text is coloured if the target is its prediction. If " +
      "judges agree, the change shows something that several networks look for. If only the network itself is " +
      "convinced, the change is its own peculiarity. Judges can share a mistake, so agreement is no proof.",
  ],
  [
    "The prediction for the morph",
    "response",
    "During the training, the hook asks the network for its prediction at several strengths. These are the " +
      "points of the curve, and at these strengths the page shows the recorded prediction. Between two points " +
      "the page interpolates the probability and marks it with ≈. If the predictions at both points differ, it " +
      "names both classes. Beyond the last point it shows nothing. The flip is the smallest recorded strength at " +
      "which the network predicts the target. In the large view, dotted curves belong to the judges.",
  ],
  [
    "The flip distance",
    "distance",
    "‖delta‖ × strength of the flip, in model units: the size of the change that makes the network predict the " +
      "target. If it is small and the image appears the same to you, the prediction depends on little.",
  ],
  [
    "Margin, entropy and loss",
    "measures",
    "Three measures of confusion. The margin is the largest probability minus the second largest (Scheffer et " +
      "al. [6]). A small margin means a confused network. The entropy, −Σ p log₂ p, is in bits. An entropy of 1 " +
      "is like a coin toss between two classes. The loss is the cross entropy in nats: −ln p of the label. " +
      "Active learning uses margin and entropy to choose the samples that a person should label (Settles [7]).",
  ],
  [
    "The confusion matrix",
    "matrix",
    "Each cell counts the shown samples of one pair of classes, each id once. A stronger colour means more samples. The " +
      "framed cells are correct predictions and have no colour. A click on a cell shows only its samples. A " +
      "second click shows all samples again. The matrix counts captured samples, not a whole data set.",
  ],
  [
    "Over training and Compare runs",
    null,
    "Over training shows the probes, and every id that was captured more than once, on one axis of steps. Its lines are " +
      "the signed margin (the probability of the label minus that of the most probable other class) and the flip " +
      "distance. Compare runs pairs the samples of two runs by their ids, each at the step nearest to the other's. It " +
      "begins with what the second run fixed and broke.",
  ],
  [
    "The counts",
    null,
    "“48 of 10,312 samples” means: 48 samples pass the filters, and 10,312 samples are recorded in the ticked " +
      "runs and the chosen tag. TensorBoard keeps all samples. The page also counts samples that are damaged, " +
      "that were lost in writing, or that were recorded again after a restart from a checkpoint.",
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
  [
    "C. Olah, A. Mordvintsev, L. Schubert: Feature visualization. Distill, 2017",
    "https://distill.pub/2017/feature-visualization/",
  ],
  [
    "A. Athalye, L. Engstrom, A. Ilyas, K. Kwok: Synthesizing robust adversarial examples. 2017",
    "https://arxiv.org/abs/1707.07397",
  ],
];

/**
 * @typedef {object} Shown what the page shows now
 * @property {Sample[]} samples
 * @property {ConfusionMatrix} matrix
 * @property {(index: number) => string} nameOf
 */

export class Help {
  #dialog = new Dialog("help", () => this.#closed());
  /** @type {Map<string, HTMLElement>} the element that holds each figure, by its name */
  #figureBoxes = new Map();
  /** @type {HelpFigures | null} */
  #figures = null;
  element = this.#dialog.element;
  button = element("button", { type: "button", ariaLabel: "Help", title: "What everything means (key ?)" }, "?");

  /**
   * @param {DisplaySettings} settings
   * @param {object} page
   * @param {ArrayCache} page.arrays
   * @param {() => Shown} page.shown
   */
  constructor(settings, { arrays, shown }) {
    this.settings = settings;
    this.arrays = arrays;
    this.shown = shown;
    this.#dialog.heading.textContent = "What you see, and the keys";
    this.#dialog.content.append(
      section("Keys", keyTable()),
      element(
        "div",
        { className: "topics" },
        ...TOPICS.map(([topic, figure, words]) => section(topic, element("p", {}, words), ...this.#figureBox(figure))),
        section(
          "Sources",
          element("ol", {}, ...SOURCES.map(([words, address]) => element("li", {}, link(words, address)))),
        ),
      ),
    );
    this.button.addEventListener("click", () => this.open());
  }

  /** @param {string | null} figure */
  #figureBox(figure) {
    if (figure === null) return [];
    const box = element("div", { className: "illustration" });
    this.#figureBoxes.set(figure, box);
    return [box];
  }

  open() {
    const { samples, matrix, nameOf } = this.shown();
    const { morph } = this.settings;
    const example = exampleOf(samples, morph);
    if (example) this.#show(new HelpFigures(example.sample, example.position, morph));
    if (matrix.classes.length) this.#put("matrix", matrixFigure(matrix, nameOf));
    this.#dialog.open();
  }

  /** @param {HelpFigures} figures */
  async #show(figures) {
    this.#figures = figures;
    try {
      const arrays = await this.arrays.get(figures.sample);
      if (this.#figures !== figures) return;
      figures.showArrays(arrays, this.settings);
      for (const [name, figure] of Object.entries(figures.elements)) this.#put(name, figure);
    } catch {
      // The text is complete without figures. The card of the sample shows the problem.
    }
  }

  /**
   * @param {string} name
   * @param {HTMLElement} figure
   */
  #put(name, figure) {
    this.#figureBoxes.get(name)?.replaceChildren(figure);
  }

  #closed() {
    this.#figures = null;
    for (const box of this.#figureBoxes.values()) box.replaceChildren();
  }

  /** @param {DisplaySettings} settings */
  applySettings(settings) {
    this.settings = settings;
    this.#figures?.applySettings(settings);
  }
}

/**
 * @param {ConfusionMatrix} matrix
 * @param {(index: number) => string} nameOf
 */
function matrixFigure(matrix, nameOf) {
  const table = new MatrixTable();
  table.show(matrix, nameOf);
  // This matrix is only a picture. The one in the sidebar is the filter.
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
