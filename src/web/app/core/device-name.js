// What a browser calls itself among the devices of a person, until the person says otherwise. Pure.

/** The first that fits counts: most browsers name others too. @type {Array<[RegExp, string]>} */
const BROWSERS = [
  [/\bEdg(e|A|iOS)?\//, "Edge"],
  [/\bOPR\//, "Opera"],
  [/\bSamsungBrowser\//, "Samsung Internet"],
  [/\b(Firefox|FxiOS)\//, "Firefox"],
  [/\b((Headless)?Chrome|CriOS)\//, "Chrome"],
  [/\bSafari\//, "Safari"],
];

/** @type {Array<[RegExp, string]>} */
const SYSTEMS = [
  [/\biPhone\b/, "iPhone"],
  [/\biPad\b/, "iPad"],
  [/\bAndroid\b/, "Android"],
  [/\bWindows\b/, "Windows"],
  [/\bMac OS X\b/, "Mac"],
  [/\bCrOS\b/, "ChromeOS"],
  [/\bLinux\b/, "Linux"],
];

/**
 * For instance `Chrome on Linux`.
 *
 * @param {string} userAgent
 */
export function deviceName(userAgent) {
  const browser = nameOf(BROWSERS, userAgent) ?? "Browser";
  const system = nameOf(SYSTEMS, userAgent);
  return system ? `${browser} on ${system}` : browser;
}

/** `phone`, `tablet` or `browser`. @param {string} userAgent */
export function deviceKind(userAgent) {
  if (/\biPad\b/.test(userAgent) || (/\bAndroid\b/.test(userAgent) && !/\bMobile\b/.test(userAgent))) return "tablet";
  return /\biPhone\b|\bAndroid\b|\bMobile\b/.test(userAgent) ? "phone" : "browser";
}

/**
 * @param {Array<[RegExp, string]>} names
 * @param {string} userAgent
 */
function nameOf(names, userAgent) {
  return names.find(([sign]) => sign.test(userAgent))?.[1];
}
