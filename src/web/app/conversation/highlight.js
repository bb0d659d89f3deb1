// Code in colours. The highlighter and each language are loaded when the first such code is shown.

import { html } from "../ui.js";

/** Longer code is shown without colours: the page must not stand still for it. */
const MAX_LENGTH = 60_000;

/** Languages that are vendored, by all their usual names. @type {Record<string, string>} */
const LANGUAGES = {
  bash: "bash", sh: "bash", shell: "bash", zsh: "bash", console: "bash", c: "c", h: "c", cpp: "cpp", "c++": "cpp", cc: "cpp", hpp: "cpp",
  css: "css", scss: "css", diff: "diff", patch: "diff", dockerfile: "dockerfile", docker: "dockerfile", go: "go", golang: "go", ini: "ini",
  toml: "ini", conf: "ini", java: "java", js: "javascript", javascript: "javascript", jsx: "javascript", mjs: "javascript", cjs: "javascript",
  json: "json", jsonc: "json", json5: "json", jsonl: "json", kotlin: "kotlin", kt: "kotlin", makefile: "makefile", make: "makefile",
  md: "markdown", markdown: "markdown", php: "php", python: "python", py: "python", ruby: "ruby", rb: "ruby", rust: "rust", rs: "rust",
  sql: "sql", swift: "swift", ts: "typescript", typescript: "typescript", tsx: "typescript", xml: "xml", html: "xml", svg: "xml", vue: "xml",
  yaml: "yaml", yml: "yaml",
};

/** @type {Promise<any> | null} */
let core = null;

/** @type {Map<string, Promise<any>>} */
const loading = new Map();

/** The vendored language for a name or the ending of a file. @param {string | undefined} name */
export function languageOf(name) {
  return LANGUAGES[(name ?? "").toLowerCase().trim()];
}

/** The language of a file by its name. @param {string} path */
export function languageOfFile(path) {
  const name = path.split("/").pop() ?? "";
  return languageOf(name) ?? languageOf(name.split(".").pop());
}

/**
 * Code as elements, each part with its colour; null where there are none for it.
 *
 * The highlighter's tree is taken and not its HTML: nothing that is shown was ever markup.
 *
 * @param {string} code
 * @param {string} language one of {@link languageOf}
 * @returns {Promise<any>}
 */
export async function highlighted(code, language) {
  if (code.length > MAX_LENGTH) return null;
  try {
    const highlighter = await ready(language);
    const { _emitter: emitter } = highlighter.highlight(code, { language, ignoreIllegals: true });
    return emitter.rootNode.children.map(elementOf);
  } catch (error) {
    console.warn(`no colours for ${language}`, error);
    return null;
  }
}

/** @param {string} language */
async function ready(language) {
  core ??= import("../../vendor/highlight/core.js").then((module) => module.default);
  const highlighter = await core;
  if (!loading.has(language)) {
    const url = `../../vendor/highlight/languages/${language}.js`;
    loading.set(language, import(url).then((module) => highlighter.registerLanguage(language, module.default)));
  }
  await loading.get(language);
  return highlighter;
}

/** @param {any} node text, or a part with `scope` and `children` @returns {any} */
function elementOf(node) {
  if (typeof node === "string") return node;
  const children = node.children.map(elementOf);
  // `title.function` is a kind of `title`.
  const scope = node.scope?.split(".")[0].replace(/[^a-z_-]/g, "");
  return scope ? html`<span class=${`hl-${scope}`}>${children}</span>` : children;
}
