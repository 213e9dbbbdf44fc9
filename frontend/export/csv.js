/**
 * Rows as CSV (RFC 4180): CRLF after each row, and quotes around a cell that needs them. Pure.
 *
 * @typedef {string | number | boolean | null} Cell `null` is an empty cell
 */

/**
 * Positions where a spreadsheet would start a formula: at the start of a text and after each character that can
 * separate cells. In countries with a decimal comma, that is the semicolon.
 */
const FORMULAS = /(^|[;\t\r\n])(?=[=+\-@＝＋－＠])/g;
/** Some spreadsheets skip these characters before they search for a formula. */
const LEADING_SPACE = /^(?=[\t\r\n])/;
/** For many readers this character ends the cell or the file. */
const NUL = "\0";
const NEEDS_QUOTES = /[",;\t\r\n]/;

/** @param {Cell[][]} rows */
export function csvOf(rows) {
  return rows.map((row) => `${row.map(written).join(",")}\r\n`).join("");
}

/**
 * Numbers are written unchanged. In a text, which can come from a stranger, an apostrophe stops each formula.
 * @param {Cell} cell
 */
function written(cell) {
  if (cell === null) return "";
  if (typeof cell !== "string") return String(cell);
  const safe = cell.replaceAll(NUL, "\uFFFD").replaceAll(FORMULAS, "$1'").replace(LEADING_SPACE, "'");
  return NEEDS_QUOTES.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
