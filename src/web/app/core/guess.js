// How high something is before it was drawn: near enough that the scroll bar does not jump. Pure.

/** About what fits in a line of a phone. */
const LINE = 60;

/** @param {import("./transcript.js").Item} item @returns {number} pixels */
export function guessedHeight(item) {
  if (item.kind === "text") return 40 + 23 * lines(item.text);
  if (item.kind === "message") return 64 + 22 * lines(typeof item.content === "string" ? item.content : "");
  if (item.kind === "end") return 44;
  return 46;
}

/** @param {string} text */
function lines(text) {
  return text.split("\n").reduce((sum, line) => sum + Math.max(Math.ceil(line.length / LINE), 1), 0);
}
