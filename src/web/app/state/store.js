// What this browser keeps between visits: small values under names of ours. Where it keeps nothing, they last for the visit.

const PREFIX = "tandem-app/";

/** @type {Map<string, string>} */
const forTheVisit = new Map();

/** @param {string} name @returns {any} undefined where there is nothing */
export function kept(name) {
  const text = forTheVisit.get(name) ?? stored(name);
  if (text === null || text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * @param {string} name
 * @param {any} value undefined takes it away
 */
export function keep(name, value) {
  try {
    if (value === undefined) localStorage.removeItem(PREFIX + name);
    else localStorage.setItem(PREFIX + name, JSON.stringify(value));
    forTheVisit.delete(name);
  } catch {
    // A private window, or a full disk.
    if (value === undefined) forTheVisit.delete(name);
    else forTheVisit.set(name, JSON.stringify(value));
  }
}

/** @param {string} name */
function stored(name) {
  try {
    return localStorage.getItem(PREFIX + name);
  } catch {
    return null;
  }
}
