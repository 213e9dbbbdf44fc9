/**
 * Rows as CSV (RFC 4180): CRLF after each row, quotes where a cell needs them. Pure.
 *
 * @typedef {string | number | boolean | null} Cell `null` is an empty cell
 */

/**
 * Where a spreadsheet would take what follows for a formula, and run it: at the start of a text, and
 * after whatever may separate cells, since where a comma is the decimal sign a semicolon does.
 */
const FORMULAS = /(^|[;\t\r\n])(?=[=+\-@＝＋－＠])/g;
/** Some leave these out before they look. */
const LEADING_SPACE = /^(?=[\t\r\n])/;
/** Many readers take it for the end of the cell, or of all. */
const NUL = "\0";
const NEEDS_QUOTES = /[",;\t\r\n]/;

/** @param {Cell[][]} rows */
export function csvOf(rows) {
  return rows.map((row) => `${row.map(written).join(",")}\r\n`).join("");
}

/**
 * Numbers stay what they are, a negative one too; only texts, which strangers may have chosen, are
 * guarded by apostrophes.
 * @param {Cell} cell
 */
function written(cell) {
  if (cell === null) return "";
  if (typeof cell !== "string") return String(cell);
  const safe = cell.replaceAll(NUL, "\uFFFD").replaceAll(FORMULAS, "$1'").replace(LEADING_SPACE, "'");
  return NEEDS_QUOTES.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
