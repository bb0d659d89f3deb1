// The settings in force, in sections and in words. Pure.

/** @typedef {{key: string, value: any, origin: string, meaning: string}} Setting */

/**
 * By section, in the order in which they come.
 *
 * @param {Setting[]} settings
 * @returns {Array<{section: string, settings: Array<Setting & {name: string}>}>}
 */
export function sections(settings) {
  const found = new Map();
  for (const setting of settings) {
    const [section, name] = setting.key.split(/\.(.*)/s);
    if (!found.has(section)) found.set(section, []);
    found.get(section).push({ ...setting, name });
  }
  return [...found].map(([section, all]) => ({ section, settings: all }));
}

/** A value as a person reads it. @param {any} value */
export function valueWord(value) {
  if (Array.isArray(value)) return value.length > 0 ? value.map(String).join(", ") : "none";
  return value === "" ? "empty" : String(value);
}

/** Who set it, where somebody did; variables and flags by their names alone. @param {string} origin */
export function originWord(origin) {
  return origin === "default" ? "" : origin.replace(/^(environment|flag|file) /, "");
}

/**
 * How much of its life a conversation has left, as a share, and whether a person should see to it.
 *
 * @param {{lastActivityAt: string, expiresAt: string}} session
 * @param {number} now
 */
export function lifeLeft({ lastActivityAt, expiresAt }, now) {
  const [begin, end] = [Date.parse(lastActivityAt), Date.parse(expiresAt)];
  const leftMs = Math.max(end - now, 0);
  const share = end > begin ? Math.min(leftMs / (end - begin), 1) : 0;
  return { leftMs, share, isShort: share < 0.2 };
}
