/** The heading of a sample: "5 46 % · 8 45 %, labelled 3 ✗". A long class name is cut, but never the label. */

import { WRONG_MARK, formatPercent, isWrong, labelCaption, likelyClasses } from "../../samples/captions.js";
import { element } from "../common/dom.js";

/** @import {Sample} from "../../types.js" */

/** @param {Sample} sample */
export function sampleHeading(sample) {
  const likely = likelyClasses(sample).flatMap(({ name, probability }, position) => [
    ...(position ? [" · "] : []),
    element("b", {}, name),
    ` ${formatPercent(probability)}`,
  ]);
  const said = element("span", { className: "said" }, ...(likely.length ? likely : ["no prediction"]));
  if (sample.label === null) return [said];
  const isFalse = isWrong(sample);
  const truth = element(
    "span",
    { className: isFalse ? "truth wrong" : "truth right" },
    element("span", { className: "joint" }, ", "),
    element("span", { className: "label-name" }, labelCaption(sample)),
    ...(isFalse ? [element("span", { className: "mark" }, WRONG_MARK)] : []),
  );
  return [said, truth];
}
