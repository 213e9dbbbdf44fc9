/** What a view does with all its examples at once. */

import { showLoaded } from "./sample_view.js";

/** @import {Picture, Sample} from "../../types.js" */
/** @import {Example} from "./example.js" */
/** @import {DisplaySettings, ViewListener} from "./sample_view.js" */

export class ExampleGroup {
  #find;

  /**
   * @param {ViewListener} listener
   * @param {() => Example[]} examples those that the view has now
   */
  constructor(listener, examples) {
    this.listener = listener;
    this.#find = examples;
  }

  get all() {
    return this.#find();
  }

  get samples() {
    return this.all.map(({ sample }) => sample);
  }

  /** @param {DisplaySettings} settings */
  showLoaded(settings) {
    for (const example of this.all) if (!example.isPainted) showLoaded(example, this.listener, settings);
  }

  /**
   * Opens the sample of the example that was clicked.
   * @param {EventTarget | null} target
   */
  open(target) {
    if (!(target instanceof Element)) return;
    const key = target.closest(".example")?.getAttribute("data-sample");
    const sample = this.samples.find((one) => one.key === key);
    if (sample) this.listener.onOpen(sample);
  }

  /**
   * @param {Sample} sample
   * @param {Picture} picture
   * @param {DisplaySettings} settings
   */
  showPicture({ key }, picture, settings) {
    for (const example of this.all) if (example.sample.key === key) example.showPicture(picture, settings);
  }

  /**
   * @param {Sample} sample
   * @param {string} problem
   */
  showProblem({ key }, problem) {
    for (const example of this.all) if (example.sample.key === key) example.showProblem(problem);
  }

  /** @param {DisplaySettings} settings */
  showSettings(settings) {
    for (const example of this.all) example.showSettings(settings);
  }

  /**
   * @param {boolean} on
   * @param {DisplaySettings} settings
   */
  blink(on, settings) {
    for (const example of this.all) example.blink(on, settings);
  }
}
