/** Listens to the keyboard. Keys for the focused field or button are left to it. */

import { commandOf } from "./key_commands.js";

/** @import {Command, Focus} from "./key_commands.js" */

const TEXT = "input:not([type]), input[type=text], input[type=search], input[type=number], textarea, [contenteditable]";
const CHOICE = "input, select, [role=application], [role=tablist], [role=slider], [role=menu]";
const BUTTON = "button, a, summary, [role=button]";
/** The commands that also work while a dialog is open. */
const IN_DIALOG = ["stronger", "weaker", "play", "blink", "review1", "review2", "review3"];

/**
 * @param {(command: Command) => void} onCommand
 * @param {() => void} onRelease any key is released, or the page loses the keyboard
 */
export function listenToKeyboard(onCommand, onRelease) {
  document.addEventListener("keyup", onRelease);
  window.addEventListener("blur", onRelease);
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented) return;
    const command = commandOf(event, focusOf(event.target));
    if (!command || (document.querySelector("dialog[open]") && !IN_DIALOG.includes(command))) return;
    event.preventDefault();
    onCommand(command);
  });
}

/**
 * @param {EventTarget | null} target
 * @returns {Focus}
 */
function focusOf(target) {
  if (!(target instanceof Element)) return "page";
  if (target.closest(TEXT)) return "text";
  if (target.closest("select")) return "list";
  if (target.closest(CHOICE)) return "choice";
  if (target.matches(".sample, .frame")) return "card";
  if (target.matches(".rows button")) return "item";
  return target.closest(BUTTON) ? "button" : "page";
}
