/** Saves a file as the browser does with a download. */

import { element } from "./dom.js";

/**
 * @param {BlobPart[]} parts
 * @param {string} type
 * @param {string} name
 */
export function saveFile(parts, type, name) {
  const address = URL.createObjectURL(new Blob(parts, { type }));
  const link = element("a", { href: address, download: name });
  link.click();
  // The address is needed for a while, because the browser reads it after this function has returned.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
