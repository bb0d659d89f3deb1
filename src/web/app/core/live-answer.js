// The answer as it grows: what streams and is in no event yet. Pure.

/** @typedef {{text: string, isGapped: boolean}} Growing `isGapped`: a piece was dropped on the way; the event brings it all */

/** See the module. */
export class LiveAnswer {
  /** Which content block of the turn; null until a delta has said it. @type {number | null} */
  #index = null;
  #text = "";
  #length = 0;
  #isGapped = false;

  /** What to show; null where nothing streams. @returns {Growing | null} */
  get growing() {
    return this.#text ? { text: this.#text, isGapped: this.#isGapped } : null;
  }

  /** Takes over what the state of the session has. @param {string | undefined | null} text */
  begin(text) {
    this.end();
    this.#text = text ?? "";
    this.#length = lengthOf(this.#text);
  }

  /**
   * Takes in a signal. A delta of another block begins that block: the one before is over. `offset` counts characters, as
   * the server does; a piece that was there before is left out, and one that is missing is marked.
   *
   * @param {{index: number, offset: number, text: string}} delta
   */
  delta({ index, offset, text }) {
    if (this.#index !== null && index < this.#index) return;
    if (this.#index !== null && index > this.#index) this.end();
    this.#index = index;
    if (offset > this.#length) {
      this.#isGapped = true;
      this.#text += `${this.#text ? "\n\n" : ""}…`;
      this.#length = offset;
    }
    const isNew = [...text].slice(this.#length - offset);
    this.#text += isNew.join("");
    this.#length += isNew.length;
  }

  /** The block stands in an event now, or the turn is over. */
  end() {
    this.#index = null;
    this.#text = "";
    this.#length = 0;
    this.#isGapped = false;
  }
}

/** @param {string} text */
function lengthOf(text) {
  return [...text].length;
}
