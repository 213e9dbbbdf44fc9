/** Text for the clipboard, also where the browser lends no clipboard to a page that is not https. */

import { element } from "./dom.js";

/**
 * @param {string} text
 * @param {HTMLElement} [within] an open dialog, if there is one: what is outside of it takes no focus
 * @returns {Promise<boolean>} whether it is there
 */
export async function copyText(text, within = document.body) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copySelected(text, within);
  }
}

/**
 * @param {string} text
 * @param {HTMLElement} within
 */
function copySelected(text, within) {
  const field = element("textarea", { value: text, className: "off-screen", readOnly: true });
  const focused = document.activeElement;
  within.append(field);
  field.select();
  const copied = document.execCommand("copy");
  field.remove();
  if (focused instanceof HTMLElement) focused.focus();
  return copied;
}
