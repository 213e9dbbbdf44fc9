/** The signed margin: how far a network is from a sample's label, or from another class. Pure. */

/** @import {Sample} from "../types.js" */

/**
 * The probability of the label minus that of the most probable other class, −1 to 1: negative if the prediction is
 * wrong. Without a label it is the margin of the prediction, which is not negative.
 * @param {Sample} sample
 */
export function signedMargin({ label, classes, probabilities, margin, loss }) {
  if (label === null || !classes.length || classes[0] === label) return margin;
  const position = classes.indexOf(label);
  // A record has the most probable classes only. The probability of another label follows from its loss.
  const ofLabel = position >= 0 ? probabilities[position] : loss === null ? 0 : Math.exp(-loss);
  return ofLabel - probabilities[0];
}
