/**
 * Rows as CSV (RFC 4180): CRLF after each row, quotes where a cell needs them. Pure.
 *
 * @typedef {string | number | boolean | null} Cell `null` is an empty cell
 */

/** With one of these a spreadsheet takes a text for a formula, and runs it. */
const FORMULA = /^[=+\-@\t\r]/;
const NEEDS_QUOTES = /[",\r\n]/;

/** @param {Cell[][]} rows */
export function csvOf(rows) {
  return rows.map((row) => `${row.map(written).join(",")}\r\n`).join("");
}

/**
 * Numbers stay what they are, a negative one too; only texts, which strangers may have chosen, are
 * guarded by an apostrophe.
 * @param {Cell} cell
 */
function written(cell) {
  if (cell === null) return "";
  if (typeof cell !== "string") return String(cell);
  const safe = FORMULA.test(cell) ? `'${cell}` : cell;
  return NEEDS_QUOTES.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
