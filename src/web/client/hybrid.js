// A hybrid logical clock: what is written after having seen something is later than it, whatever the clocks of the two
// devices say. Its stamps are those of actors/src/clock/hybrid.rs and of the crate `uhlc`: `TIME/ID`. Pure.

/** So many low bits of a time are a counter, for stamps of the same instant. */
const COUNTER_MASK = 0xfn;

const MAX_TIME = 2n ** 64n - 1n;

/**
 * A stamp, taken apart. `id` has at most 16 bytes, the least significant first.
 *
 * @typedef {{time: bigint, id: Uint8Array}} Stamp
 */

/** See the module. */
export class HybridClock {
  #wallMs;
  #id;
  /** @type {bigint} */
  #last = 0n;

  /**
   * The id is another one in each run: two tabs of one device never give out the same stamp.
   *
   * @param {() => number} [wallMs] milliseconds since 1970
   * @param {string} [id] in hexadecimal
   */
  constructor(wallMs = Date.now, id = randomId()) {
    this.#wallMs = wallMs;
    this.#id = id;
  }

  /** The latest time that was given out or seen, to be kept over a reload. */
  get last() {
    return this.#last.toString();
  }

  /** A stamp that is later than all given out and all seen before. */
  stamp() {
    const now = ntp64(this.#wallMs());
    const isLater = now > (this.#last & ~COUNTER_MASK);
    this.#last = isLater ? now : this.#last + 1n;
    return `${this.#last}/${this.#id}`;
  }

  /**
   * Takes in a stamp of anybody, or a kept `last`; what cannot be read is left out.
   *
   * @param {unknown} stamp
   */
  seen(stamp) {
    const digits = /^\d{1,20}(?=\/|$)/.exec(typeof stamp === "string" ? stamp : "")?.[0];
    if (digits) this.#advance(BigInt(digits));
  }

  /**
   * Takes in the time of an event, by the clock of the server.
   *
   * @param {string} at RFC 3339
   */
  seenWall(at) {
    const ms = Date.parse(at);
    // The server tells whole milliseconds and cuts off the rest.
    if (ms >= 0) this.#advance(ntp64(ms + 1));
  }

  /** @param {bigint} time */
  #advance(time) {
    // The last time that there is would leave nothing to count on to.
    if (time > this.#last && time < MAX_TIME - COUNTER_MASK) this.#last = time;
  }
}

/**
 * @param {unknown} text
 * @returns {Stamp | null} none when it is no stamp
 */
export function parseStamp(text) {
  const parts = /^(\d{1,20})\/([1-9a-f][0-9a-f]{0,31})$/.exec(typeof text === "string" ? text : "");
  if (!parts || BigInt(parts[1]) > MAX_TIME) return null;
  const hex = parts[2].padStart(32, "0");
  const id = Uint8Array.from({ length: 16 }, (_, place) => Number.parseInt(hex.substr(30 - place * 2, 2), 16));
  return { time: BigInt(parts[1]), id };
}

/**
 * Whether a stamp is later than another; a text that is no stamp is earlier than all.
 *
 * @param {unknown} left
 * @param {unknown} right
 */
export function isLater(left, right) {
  const [one, other] = [parseStamp(left), parseStamp(right)];
  if (!one || !other) return one !== null;
  if (one.time !== other.time) return one.time > other.time;
  const place = one.id.findIndex((byte, at) => byte !== other.id[at]);
  return place >= 0 && one.id[place] > other.id[place];
}

/** 128 bits by chance. One of them is always set: ids below it are nobody's, or the server's. */
function randomId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[7] |= 1;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0"));
  return hex.join("").replace(/^0+/, "");
}

/**
 * The first tick of a millisecond: seconds since 1970 in the upper 32 bits, parts of a second in the lower.
 *
 * @param {number} ms
 */
function ntp64(ms) {
  const whole = BigInt(Math.floor(ms));
  const parts = (((whole % 1000n) << 32n) + 999n) / 1000n;
  return (((whole / 1000n) << 32n) + parts + COUNTER_MASK) & ~COUNTER_MASK;
}
