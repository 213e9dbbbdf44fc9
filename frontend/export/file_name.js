/** Names of downloaded files, valid on every system. Pure. */

const MOST_SIGNS = 60;

/**
 * `gradascent-baseline-confused.csv`
 * @param {string[]} words a run, a tag, …
 * @param {string} extension
 */
export function fileName(words, extension) {
  const safe = words.map((word) => word.replaceAll(/[^A-Za-z0-9_-]+/g, "-").replaceAll(/^-+|-+$/g, "")).filter(Boolean);
  return `${["gradascent", ...safe].join("-").slice(0, MOST_SIGNS).replace(/-+$/, "")}.${extension}`;
}
