/** What a person found out about labels, by the samples' ids; its text as CSV and as Python. Pure. */

/** @typedef {"mislabelled" | "ambiguous" | "model"} Review */
/** @typedef {ReadonlyMap<string, Review>} Reviews by id */

/** @type {Record<Review, string>} */
export const REVIEW_WORDS = { mislabelled: "mislabelled", ambiguous: "ambiguous", model: "the model's fault" };

/** The key of each review is its position, from 1 on. */
export const REVIEWS = /** @type {readonly Review[]} */ (Object.keys(REVIEW_WORDS));

/**
 * @param {unknown} text
 * @returns {text is Review}
 */
export function isReview(text) {
  return typeof text === "string" && Object.hasOwn(REVIEW_WORDS, text);
}

/**
 * @param {Reviews} reviews
 * @returns {[string, string][]} the rows of a CSV file, with its head
 */
export function reviewRows(reviews) {
  return [["id", "review"], ...reviews];
}

/**
 * Reads what `reviewRows` wrote as CSV. Other rows are skipped.
 * @param {string} csv
 * @returns {Map<string, Review>}
 */
export function parseReviews(csv) {
  /** @type {Map<string, Review>} */
  const reviews = new Map();
  for (const [written, review] of parseCsv(csv)) {
    // An apostrophe stops a spreadsheet from taking the id for a formula.
    const id = written.replace(/^'(?=[=+\-@＝＋－＠\t\r\n])/, "");
    if (id && isReview(review)) reviews.set(id, review);
  }
  return reviews;
}

/**
 * @param {string} csv
 * @returns {string[][]}
 */
function parseCsv(csv) {
  /** @type {string[][]} */
  const rows = [];
  /** @type {string[]} */
  let row = [];
  for (const [, quoted, plain, end] of csv.replace(/^\uFEFF/, "").matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n|\n|\r|$)/g)) {
    row.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (end === ",") continue;
    rows.push(row);
    row = [];
  }
  return rows;
}
