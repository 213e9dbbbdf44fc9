/** The chips on a card, one for each target. A chip shows its target alone. */

import { CHIPS_LABEL } from "../../layout/grid_layout.js";
import { className } from "../../samples/captions.js";
import { withTargetChoice } from "../../state/transitions.js";
import { chipsOf } from "../../samples/target_choice.js";
import { element } from "../common/dom.js";

/** @import {CardLayout} from "../../layout/grid_layout.js" */
/** @import {OnChange} from "../../state/state.js" */
/** @import {TargetChoice} from "../../samples/target_choice.js" */
/** @import {Sample} from "../../types.js" */

/**
 * @param {Sample} sample
 * @param {CardLayout} layout
 * @param {OnChange} onChange
 */
export function targetChips(sample, { rows, choice, chipLines }, onChange) {
  const { positions, others } = chipsOf(sample, choice);
  const choose = (/** @type {TargetChoice | null} */ next) =>
    onChange((state) => withTargetChoice(state, sample.key, next));
  const chips = positions.map((at) => {
    const { index } = sample.targets[at];
    const name = className(sample.session.class_names, index);
    const alone = rows.length === 1 && rows[0] === at;
    const title = alone ? "Show the other targets again" : `Show only the target ${name}`;
    const chip = element("button", { type: "button", className: "chip", value: String(index), title }, name);
    chip.ariaPressed = String(rows.includes(at));
    chip.addEventListener("click", () => choose(alone && choice === index ? null : index));
    return chip;
  });
  if (others) chips.push(moreChip(`+${others} more`, "Show more targets", () => choose("more")));
  else if (choice === "more") chips.push(moreChip("fewer", "Show fewer targets", () => choose(null)));
  const row = element("div", { className: "chips", role: "group", ariaLabel: "Targets" }, CHIPS_LABEL, ...chips);
  row.style.setProperty("--lines", String(chipLines));
  row.classList.toggle("one-line", chipLines === 1);
  return row;
}

/**
 * @param {string} text
 * @param {string} title
 * @param {() => void} onClick
 */
function moreChip(text, title, onClick) {
  const chip = element("button", { type: "button", className: "chip more", title }, text);
  chip.addEventListener("click", onClick);
  return chip;
}
