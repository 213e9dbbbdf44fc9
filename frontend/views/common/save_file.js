/** Saves a file as the browser does with a download. */

import { element } from "./dom.js";

/** Whether a frame around the page does not let it save files. The browser itself says nothing about this. */
export const IS_BLOCKED = isBlocked();

/** @returns {boolean} */
function isBlocked() {
  if (window.parent === window) return false;
  // A notebook's frame has no origin.
  if (window.origin === "null") return true;
  /** @type {Window} */
  let inner = window;
  // A frame of another origin cannot be read: frameElement is then null.
  while (inner.frameElement) {
    const allowed = inner.frameElement.getAttribute("sandbox");
    if (allowed !== null && !allowed.toLowerCase().split(/\s+/).includes("allow-downloads")) return true;
    inner = inner.parent;
  }
  return false;
}

/**
 * @param {BlobPart[]} parts
 * @param {string} type
 * @param {string} name
 * @throws {Error} the frame may not save files
 */
export function saveFile(parts, type, name) {
  if (IS_BLOCKED) throw new Error("this frame may not save files. Open the page in a window of its own.");
  const address = URL.createObjectURL(new Blob(parts, { type }));
  const link = element("a", { href: address, download: name });
  link.click();
  // The address is needed for a while, because the browser reads it after this function has returned.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
