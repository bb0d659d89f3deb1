// Numbers, times and names in words, short enough for a line on a phone. Pure.

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/**
 * How long ago something was: `now`, `5 min`, `3 h`, `2 d`, then the day.
 *
 * @param {number} then milliseconds since 1970
 * @param {number} now
 */
export function ago(then, now) {
  const ms = now - then;
  if (!Number.isFinite(ms)) return "";
  if (ms < MINUTE_MS) return "now";
  if (ms < HOUR_MS) return `${Math.floor(ms / MINUTE_MS)} min`;
  if (ms < DAY_MS) return `${Math.floor(ms / HOUR_MS)} h`;
  if (ms < 7 * DAY_MS) return `${Math.floor(ms / DAY_MS)} d`;
  return new Date(then).toLocaleDateString(undefined, { day: "numeric", month: "short", year: yearIfOther(then, now) });
}

/**
 * @param {number} then
 * @param {number} now
 */
function yearIfOther(then, now) {
  return new Date(then).getFullYear() === new Date(now).getFullYear() ? undefined : /** @type {const} */ ("numeric");
}

/**
 * A span of time: `0.4 s`, `12 s`, `3 min 5 s`, `2 h 10 min`.
 *
 * @param {number} ms
 */
export function duration(ms) {
  if (ms < 10_000) return `${(ms / 1_000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return seconds % 60 ? `${minutes} min ${seconds % 60} s` : `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
}

/** @param {number} bytes */
export function bytes(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let amount = bytes;
  let unit = 0;
  while (amount >= 1_000 && unit < units.length - 1) {
    amount /= 1_000;
    unit += 1;
  }
  return `${unit === 0 || amount >= 100 ? Math.round(amount) : amount.toFixed(1)} ${units[unit]}`;
}

/** A number of things with few digits: `950`, `12.3k`, `1.2M`. @param {number} count */
export function count(count) {
  if (count < 1_000) return String(count);
  if (count < 1_000_000) return `${(count / 1_000).toFixed(count < 100_000 ? 1 : 0)}k`;
  return `${(count / 1_000_000).toFixed(1)}M`;
}

/** US dollars, to the cent. @param {number} dollars */
export function money(dollars) {
  if (dollars === 0) return "$0";
  return dollars < 0.01 ? "<$0.01" : `$${dollars.toFixed(2)}`;
}

/**
 * The tokens of a turn, from what the agent reports of its usage: read anew, read from its cache, written.
 *
 * @param {Record<string, any> | null | undefined} usage
 */
export function tokens(usage) {
  const number = (/** @type {string} */ name) => (typeof usage?.[name] === "number" ? usage[name] : 0);
  return {
    input: number("input_tokens") + number("cache_creation_input_tokens"),
    cached: number("cache_read_input_tokens"),
    output: number("output_tokens"),
  };
}

/** The last name of a path. @param {string} path */
export function baseName(path) {
  return path.replace(/[/\\]+$/, "").split(/[/\\]/).pop() || path;
}

/** The folder that a path lies in, with `/` at its end; empty where there is none. @param {string} path */
export function folderOf(path) {
  const end = path.replace(/[/\\]+$/, "").lastIndexOf("/");
  return end < 0 ? "" : path.slice(0, end + 1);
}

/**
 * A path as seen from a project.
 *
 * @param {string} path
 * @param {string | undefined} project
 */
export function withinProject(path, project) {
  const root = project?.replace(/\/+$/, "");
  return root && path.startsWith(`${root}/`) ? path.slice(root.length + 1) : path;
}

/**
 * One or several things: `1 event`, `3 events`.
 *
 * @param {number} count
 * @param {string} one
 * @param {string} [several]
 */
export function plural(count, one, several = `${one}s`) {
  return `${count} ${count === 1 ? one : several}`;
}
