/** Copies text to the clipboard, also in a page without https, which has no access to the clipboard API. */

import { element } from "./dom.js";

/**
 * @param {string} text
 * @param {HTMLElement} [within] the open dialog, if there is one: elements outside of it cannot take the focus
 * @returns {Promise<boolean>} whether the text was copied
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
