// What a tool is to do, in full: the command, the changes of a file, the plan, the questions, or the input as it is.

import { Icon } from "../components/icon.js";
import { questionsOf } from "../core/answers.js";
import { describe, editsOf } from "../core/tools.js";
import { diffRows, patchRows } from "../core/diff-rows.js";
import { html, useMemo } from "../ui.js";
import { CodeBlock } from "./code-block.js";
import { Diff } from "./diff.js";
import { Markdown } from "./markdown.js";

/** @param {{name: string, input: any, project?: string, patch?: any}} props `patch`: what became of an edit, where the agent told */
export function ToolInput({ name, input, project, patch }) {
  const { form } = describe(name, input, project);
  if (form === "command") return html`<${CodeBlock} code=${String(input?.command ?? "")} language="bash" />`;
  if (form === "edit" || form === "write") return html`<${Edits} name=${name} input=${input} patch=${patch} />`;
  if (form === "todo") return html`<${Todos} todos=${input?.todos} />`;
  if (form === "plan") return html`<div class="plan"><${Markdown} text=${String(input?.plan ?? "")} /></div>`;
  if (form === "question") return html`<${Questions} questions=${input?.questions} />`;
  return html`<${CodeBlock} code=${JSON.stringify(input, null, 2) ?? ""} language="json" label="input" />`;
}

/** @param {{name: string, input: any, patch: any}} props */
function Edits({ name, input, patch }) {
  const all = useMemo(() => rowsOf(name, input, patch), [name, input, patch]);
  return all.map((rows, place) => html`<${Diff} key=${place} rows=${rows} path=${input?.file_path} />`);
}

/**
 * The rows of each change of a call.
 *
 * @param {string} name
 * @param {any} input
 * @param {any} patch
 * @returns {import("../core/diff-rows.js").Row[][]}
 */
export function rowsOf(name, input, patch) {
  const told = patchRows(patch);
  return told ? [told] : editsOf(name, input).map(({ before, after }) => diffRows(before, after));
}

/** @type {Record<string, {icon: string, word: string}>} */
const MARKS = {
  completed: { icon: "circle-check", word: "done" },
  in_progress: { icon: "play", word: "in progress" },
  pending: { icon: "square", word: "to do" },
};

/** @param {{todos: any}} props */
function Todos({ todos }) {
  if (!Array.isArray(todos)) return null;
  return html`<ul class="todos">${todos.map((todo, place) => {
    const { content, status } = todo ?? {};
    const { icon, word } = MARKS[status] ?? MARKS.pending;
    return html`<li key=${place} class=${`is-${status}`}><${Icon} name=${icon} size=${16} /><span class="only-heard">${word}: </span>${String(content)}</li>`;
  })}</ul>`;
}

/** @param {{questions: any}} props */
function Questions({ questions }) {
  if (!Array.isArray(questions)) return null;
  return questionsOf({ questions }).map(({ question, options = [] }, place) => html`<div key=${place} class="asked">
    <p>${question}</p>
    <ul>${options.map(({ label, description }, at) => html`<li key=${at}><b>${label}</b> ${description}</li>`)}</ul>
  </div>`);
}
