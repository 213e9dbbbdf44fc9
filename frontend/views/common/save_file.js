/** Saves a file as the browser does with a download. */

import { element } from "./dom.js";

/** A frame in a notebook may not save files. Its origin is then not known to it. */
export const IS_BLOCKED = window.origin === "null" && window.parent !== window;

/**
 * @param {BlobPart[]} parts
 * @param {string} type
 * @param {string} name
 * @throws {Error} the frame may not save files
 */
export function saveFile(parts, type, name) {
  if (IS_BLOCKED) throw new Error("this frame may not save files. Open the report in a window of its own.");
  const address = URL.createObjectURL(new Blob(parts, { type }));
  const link = element("a", { href: address, download: name });
  link.click();
  // The address is needed for a while, because the browser reads it after this function has returned.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
