// Which part of a long list is drawn: heights that were measured or guessed, and what of it lies in view. Pure.

/** See the module. Items have keys; what was measured of one holds while it is in the list. */
export class Heights {
  /** @type {string[]} */
  #keys = [];
  /** @type {Map<string, number>} */
  #places = new Map();
  /** @type {Map<string, number>} */
  #measured = new Map();
  /** Where items begin; right up to `#known`. @type {Float64Array} */
  #tops = new Float64Array(1);
  #known = 0;
  #guess;

  /** @param {(place: number) => number} guess the height of an item that was never drawn, in pixels */
  constructor(guess) {
    this.#guess = guess;
  }

  /** The items of the list now. @param {string[]} keys each once */
  set(keys) {
    let same = 0;
    while (same < keys.length && keys[same] === this.#keys[same]) same += 1;
    for (let place = same; place < this.#keys.length; place += 1) this.#places.delete(this.#keys[place]);
    for (let place = same; place < keys.length; place += 1) this.#places.set(keys[place], place);
    this.#keys = keys;
    if (this.#tops.length < keys.length + 1) {
      const tops = new Float64Array((keys.length + 1) * 2);
      tops.set(this.#tops);
      this.#tops = tops;
    }
    this.#known = Math.min(this.#known, same);
  }

  /**
   * An item was drawn and is so high. Says whether that was news.
   *
   * @param {string} key
   * @param {number} height
   */
  measured(key, height) {
    if (this.#measured.get(key) === height) return false;
    this.#measured.set(key, height);
    const place = this.#places.get(key);
    if (place !== undefined) this.#known = Math.min(this.#known, place);
    return place !== undefined;
  }

  /** Where in the list an item stands. @param {string} key */
  placeOf(key) {
    return this.#places.get(key);
  }

  /** @param {number} place */
  keyAt(place) {
    return this.#keys[place];
  }

  /** The height of all items. */
  get total() {
    return this.topOf(this.#keys.length);
  }

  /** Where an item begins. @param {number} place the number of items is the end of the list */
  topOf(place) {
    for (; this.#known < place; this.#known += 1) {
      const height = this.#measured.get(this.#keys[this.#known]) ?? this.#guess(this.#known);
      this.#tops[this.#known + 1] = this.#tops[this.#known] + height;
    }
    return this.#tops[place];
  }

  /** The item that a line lies in; the first or last where it lies outside. @param {number} top */
  placeAt(top) {
    this.topOf(this.#keys.length);
    let [low, high] = [0, this.#keys.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#tops[middle] <= top) low = middle;
      else high = middle - 1;
    }
    return Math.max(low, 0);
  }

  /**
   * The items between two lines: from `start` up to, and without, `end`.
   *
   * @param {number} top
   * @param {number} bottom
   */
  between(top, bottom) {
    if (this.#keys.length === 0) return { start: 0, end: 0 };
    return { start: this.placeAt(top), end: this.placeAt(bottom) + 1 };
  }
}

/** Who comes so near to the end, in pixels, wants to stay there. */
export const NEAR_END = 48;

/**
 * Whether somebody who was, or was not, at the end of a list is there after a move. Going up leaves it, however little: also
 * slowly, and while the list grows below. What shortens the list takes nobody away from its end.
 *
 * @param {boolean} wasAtEnd
 * @param {number} moved in pixels, down
 * @param {number} left what is below the lower edge, in pixels
 */
export function isAtEndAfter(wasAtEnd, moved, left) {
  if (left < 1 || (moved > 0 && left < NEAR_END)) return true;
  return wasAtEnd && moved >= 0;
}
