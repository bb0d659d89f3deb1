// An answer that grows, in pieces of which only the last one changes: what stands before needs not be looked at again. Pure.

/** Shorter pieces would be many; a longer one takes a phone more than a frame to parse. */
const CHUNK_CHARACTERS = 1_000;

/**
 * Cuts Markdown at empty lines outside of code. Pieces that are over stay the same however the text goes on.
 *
 * @param {string} text
 * @returns {string[]} together they are the text
 */
export function chunksOf(text) {
  /** @type {string[]} */
  const chunks = [];
  let begin = 0;
  /** The fence of the code that is open. @type {string | null} */
  let fence = null;
  for (let at = 0; at < text.length; ) {
    const end = text.indexOf("\n", at);
    // A line that is not over may become anything.
    if (end < 0) break;
    const line = text.slice(at, end);
    const mark = /^\s*(```+|~~~+)/.exec(line)?.[1];
    if (mark && fence === null) fence = mark;
    else if (mark && fence !== null && mark.startsWith(fence) && line.trim() === mark) fence = null;
    at = end + 1;
    const isCut = fence === null && line.trim() === "" && at - begin >= CHUNK_CHARACTERS;
    if (isCut) {
      chunks.push(text.slice(begin, at));
      begin = at;
    }
  }
  chunks.push(text.slice(begin));
  return chunks;
}
