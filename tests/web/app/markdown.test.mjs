// Markdown of agents as elements: whatever they write, none of it becomes markup, and no link leads where links must not.

import assert from "node:assert/strict";
import { test } from "node:test";

import { chunksOf } from "../../../src/web/app/core/chunks.js";
import { elementsOf } from "../../../src/web/app/conversation/markdown.js";

/** The elements as short text: `p(…)` for an element, with what of its properties counts. */
function shape(node) {
  if (node === null || node === undefined || typeof node === "boolean") return "";
  if (Array.isArray(node)) return node.map(shape).join("");
  if (typeof node !== "object") return String(node);
  const { children, class: _class, tabindex, role, ...props } = node.props;
  assert.equal("dangerouslySetInnerHTML" in props, false, "no markup is made of text");
  const told = ["href", "start", "checked", "code", "language"].filter((name) => props[name] !== undefined).map((name) => ` ${name}=${props[name]}`).join("");
  const name = typeof node.type === "function" ? node.type.name : node.type;
  return `${name}${told}(${shape(children)})`;
}

const shown = (text) => elementsOf(text).map(shape).join("");

test("the usual parts are there", () => {
  assert.equal(shown("# A\n\n**b** *c* `d<e>` ~~f~~"), "h3(A)p(strong(b) em(c) code(d<e>) del(f))");
  assert.equal(shown("1. x\n2. y"), "ol start=1(li(x)li(y))");
  assert.equal(shown("- [x] a\n- [ ] b"), "ul(li(input checked=true()a)li(input checked=false()b))");
  assert.equal(shown("> q"), "blockquote(p(q))");
  assert.equal(shown("```rust x\nlet a = &b;\n```"), "CodeBlock language=rust code=let a = &b;()".replace("language=rust code=let a = &b;", "code=let a = &b; language=rust"));
  assert.match(shown("| a |\n|--:|\n| b |"), /^div\(table\(thead\(tr\(th\(a\)\)\)tbody\(tr\(td\(b\)\)\)\)\)$/);
});

test("HTML is shown as the text that it is", () => {
  assert.equal(shown("a <img src=x onerror=alert(1)> b"), "p(a <img src=x onerror=alert(1)> b)");
  assert.equal(shown("<script>alert(1)</script>"), "p(<script>alert(1)</script>)");
  assert.equal(shown("a &lt;b&gt; &amp; c"), "p(a <b> & c)");
});

test("links lead to the web or to mail, and pictures are links: nobody is told who reads", () => {
  assert.equal(shown("[x](https://a.b/c)"), "p(a href=https://a.b/c(x))");
  assert.equal(shown("![x](https://a.b/c.png)"), "p(a href=https://a.b/c.png(x))");
  for (const href of ["javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "vbscript:x", "file:///etc/passwd", "//evil", "/api", " javascript:x"]) {
    assert.doesNotMatch(shown(`[x](<${href}>)`), /href/, href);
    assert.doesNotMatch(shown(`![x](<${href}>)`), /href/, href);
  }
});

test("what no parser takes is still there to be read", () => {
  const deep = ">".repeat(20_000) + "x";
  assert.ok(shown(deep).endsWith("x)".padEnd(2)) || shown(deep).includes("x"));
  for (const odd of ["", "\n", "```", "|", "[", "![](", "- ", "*".repeat(5_000), "\0", "[a]: b"]) assert.equal(typeof shown(odd), "string");
});

test("an answer that grows is cut where nothing that comes can change what stands before", () => {
  const part = (name) => `# ${name}\n\n${"some words\n".repeat(100)}\n\`\`\`js\nconst a = 1;\n\n\n${"x();\n\n".repeat(200)}\`\`\`\n\n`;
  const whole = part("one") + part("two") + part("three");
  let last = [];
  for (let length = 0; length <= whole.length; length += 7) {
    const chunks = chunksOf(whole.slice(0, length));
    assert.equal(chunks.join(""), whole.slice(0, length));
    assert.deepEqual(chunks.slice(0, last.length - 1), last.slice(0, -1), "what is over stays");
    last = chunks;
  }
  const chunks = chunksOf(whole);
  assert.ok(chunks.length >= 3, String(chunks.length));
  for (const chunk of chunks) assert.equal((chunk.match(/```/g) ?? []).length % 2, 0, "no code is cut");
});
