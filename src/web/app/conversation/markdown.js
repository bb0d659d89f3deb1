// Markdown as elements. The parser's tokens are taken and not its HTML: what an agent writes never becomes markup of the page,
// so there is nothing to clean. HTML in it is shown as the text that it is.

import { marked } from "../../vendor/marked/marked.js";
import { html, useMemo } from "../ui.js";
import { CodeBlock } from "./code-block.js";

/** @param {{text: string, isGrowing?: boolean}} props `isGrowing`: it will change soon, colours of code can wait */
export function Markdown({ text, isGrowing = false }) {
  const elements = useMemo(() => elementsOf(text, isGrowing), [text, isGrowing]);
  return html`<div class="prose">${elements}</div>`;
}

/**
 * @param {string} text
 * @param {boolean} [isGrowing]
 * @returns {any[]}
 */
export function elementsOf(text, isGrowing = false) {
  try {
    return blocks(marked.lexer(text, { gfm: true }), isGrowing);
  } catch (error) {
    // Thousands of quotes inside of each other are too deep for the parser; they are still there to be read.
    console.warn("Markdown that cannot be parsed", error);
    return [html`<p class="as-it-is">${text}</p>`];
  }
}

/**
 * @param {any[]} tokens
 * @param {boolean} isGrowing
 * @returns {any[]}
 */
function blocks(tokens, isGrowing) {
  return tokens.map((token) => {
    switch (token.type) {
      case "space":
      case "def":
        return null;
      case "heading": {
        // The page has headings of its own above.
        const level = Math.min(token.depth + 2, 6);
        return html`<${`h${level}`} class=${`prose-h${Math.min(token.depth, 4)}`}>${inline(token.tokens)}<//>`;
      }
      case "paragraph":
        return html`<p>${inline(token.tokens)}</p>`;
      case "text":
        return token.tokens ? inline(token.tokens) : unescaped(token);
      case "code":
        return html`<${CodeBlock} code=${token.text} language=${(token.lang ?? "").split(/[\s,{]/)[0]} isGrowing=${isGrowing} />`;
      case "blockquote":
        return html`<blockquote>${blocks(token.tokens, isGrowing)}</blockquote>`;
      case "list":
        return list(token, isGrowing);
      case "table":
        return table(token);
      case "hr":
        return html`<hr />`;
      default:
        return token.raw ? html`<p class="as-it-is">${token.raw}</p>` : null;
    }
  });
}

/**
 * @param {any} token
 * @param {boolean} isGrowing
 */
function list(token, isGrowing) {
  const items = token.items.map((/** @type {any} */ item) => {
    // The parser puts the box of a task among the item's own parts.
    const parts = item.tokens.filter((/** @type {any} */ part) => part.type !== "checkbox");
    const box = item.task && html`<input type="checkbox" checked=${item.checked} disabled aria-label=${item.checked ? "done" : "to do"} />`;
    return html`<li class=${item.task ? "is-task" : undefined}>${box}${blocks(parts, isGrowing)}</li>`;
  });
  return token.ordered ? html`<ol start=${token.start || 1}>${items}</ol>` : html`<ul>${items}</ul>`;
}

/** @param {any} token */
function table(token) {
  const cell = (/** @type {any} */ one, /** @type {"td" | "th"} */ tag) =>
    html`<${tag} class=${one.align ? `is-${one.align}` : undefined}>${inline(one.tokens)}<//>`;
  return html`<div class="table" tabindex="0" role="group" aria-label="Table"><table>
    <thead><tr>${token.header.map((/** @type {any} */ one) => cell(one, "th"))}</tr></thead>
    <tbody>${token.rows.map((/** @type {any[]} */ row) => html`<tr>${row.map((one) => cell(one, "td"))}</tr>`)}</tbody>
  </table></div>`;
}

/** @param {any[]} tokens @returns {any[]} */
function inline(tokens) {
  return (tokens ?? []).map((token) => {
    switch (token.type) {
      case "strong":
        return html`<strong>${inline(token.tokens)}</strong>`;
      case "em":
        return html`<em>${inline(token.tokens)}</em>`;
      case "del":
        return html`<del>${inline(token.tokens)}</del>`;
      case "codespan":
        return html`<code>${token.text}</code>`;
      case "br":
        return html`<br />`;
      case "link":
        return link(token);
      case "image":
        // A picture elsewhere would tell that server who reads this, and when.
        return link({ ...token, tokens: [{ type: "text", text: token.text || token.href, raw: token.text }] });
      case "checkbox":
        return null;
      case "text":
        return token.tokens ? inline(token.tokens) : unescaped(token);
      case "escape":
        return token.text;
      default:
        return token.raw ?? "";
    }
  });
}

/** @param {any} token */
function link(token) {
  const words = inline(token.tokens);
  const isSafe = /^(https?:|mailto:)/i.test(token.href ?? "");
  if (!isSafe) return html`<span class="no-link" title=${token.href}>${words}</span>`;
  return html`<a href=${token.href} target="_blank" rel="noopener noreferrer" title=${token.title || token.href}>${words}</a>`;
}

/** @type {Record<string, string>} */
const ENTITIES = { "&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#39;": "'" };

/** Outside of code these stand for characters. @param {any} token @returns {string} */
function unescaped(token) {
  return (token.text ?? token.raw ?? "").replace(/&(amp|lt|gt|quot|#39);/g, (/** @type {string} */ entity) => ENTITIES[entity]);
}
