/** @param {unknown} error what was thrown */
export function errorMessage(error) {
  return error instanceof Error ? error.message : String(error);
}
