// What a call of a tool is about, in a few words for a person. Pure.

import { withinProject } from "./format.js";

/**
 * `form` says how to show the whole: a command, an edit of a file, a new file, a list of things to do, a plan, questions, or
 * the plain input.
 *
 * @typedef {{icon: string, title: string, detail: string, form: "command" | "edit" | "write" | "todo" | "plan" | "question" | "input"}} Description
 */

/** @type {Record<string, (input: any, path: (value: any) => string) => Omit<Description, "form"> & {form?: Description["form"]}>} */
const KNOWN = {
  Bash: ({ command, description }) => ({ icon: "square-terminal", title: description || "Command", detail: firstLine(command), form: "command" }),
  BashOutput: ({ bash_id: id }) => ({ icon: "square-terminal", title: "Look at a command", detail: text(id) }),
  KillShell: ({ shell_id: id }) => ({ icon: "square-terminal", title: "End a command", detail: text(id) }),
  Edit: ({ file_path: file }, path) => ({ icon: "file-pen", title: "Edit", detail: path(file), form: "edit" }),
  MultiEdit: ({ file_path: file }, path) => ({ icon: "file-pen", title: "Edit", detail: path(file), form: "edit" }),
  Write: ({ file_path: file }, path) => ({ icon: "file-diff", title: "Write", detail: path(file), form: "write" }),
  NotebookEdit: ({ notebook_path: file }, path) => ({ icon: "file-pen", title: "Edit notebook", detail: path(file) }),
  Read: ({ file_path: file }, path) => ({ icon: "file-text", title: "Read", detail: path(file) }),
  Glob: ({ pattern, path: folder }, path) => ({ icon: "search", title: "Find files", detail: joined(pattern, folder && path(folder)) }),
  Grep: ({ pattern, path: folder, glob }, path) => ({ icon: "search", title: "Search", detail: joined(pattern, glob, folder && path(folder)) }),
  LS: ({ path: folder }, path) => ({ icon: "folder", title: "List", detail: path(folder) }),
  WebFetch: ({ url }) => ({ icon: "globe", title: "Fetch", detail: text(url) }),
  WebSearch: ({ query }) => ({ icon: "globe", title: "Search the web", detail: text(query) }),
  Task: ({ description, subagent_type: type }) => ({ icon: "bot", title: type ? `Helper: ${type}` : "Helper", detail: text(description) }),
  Agent: ({ description, subagent_type: type }) => ({ icon: "bot", title: type ? `Helper: ${type}` : "Helper", detail: text(description) }),
  TodoWrite: ({ todos }) => ({ icon: "list-checks", title: "To do", detail: progress(todos), form: "todo" }),
  ExitPlanMode: () => ({ icon: "map", title: "Plan", detail: "", form: "plan" }),
  AskUserQuestion: ({ questions }) => ({ icon: "circle-question-mark", title: "Question", detail: text(questions?.[0]?.question), form: "question" }),
  Skill: ({ skill, command }) => ({ icon: "sparkles", title: "Skill", detail: text(skill ?? command) }),
};

/**
 * @param {string} name
 * @param {any} input
 * @param {string} [project] paths in it are told from there
 * @returns {Description}
 */
export function describe(name, input, project) {
  const path = (/** @type {any} */ value) => withinProject(text(value), project);
  const known = Object.hasOwn(KNOWN, name) ? KNOWN[name](input ?? {}, path) : null;
  if (known) return { form: "input", ...known };
  // Tools of other programs are named mcp__SERVER__TOOL.
  const [, server, tool] = /^mcp__(.+?)__(.+)$/.exec(name) ?? [];
  return { icon: "wrench", title: tool ? `${server}: ${tool.replaceAll("_", " ")}` : name, detail: firstText(input), form: "input" };
}

/**
 * The changes of a call that edits: pairs of what is there and what will be.
 *
 * @param {string} name
 * @param {any} input
 * @returns {Array<{before: string, after: string}>}
 */
export function editsOf(name, input) {
  if (name === "Write") return [{ before: "", after: text(input?.content) }];
  const edits = Array.isArray(input?.edits) ? input.edits : [input];
  return edits.map((/** @type {any} */ edit) => ({ before: text(edit?.old_string), after: text(edit?.new_string) }));
}

/** @param {any} value @returns {string} */
function text(value) {
  return typeof value === "string" ? value : value === undefined || value === null ? "" : JSON.stringify(value);
}

/** @param {any} value */
function firstLine(value) {
  const [line, ...others] = text(value).trim().split("\n");
  return others.length > 0 ? `${line} …` : line;
}

/** @param {...any} parts */
function joined(...parts) {
  return parts.filter(Boolean).map(text).join(" in ");
}

/** @param {any} todos */
function progress(todos) {
  if (!Array.isArray(todos)) return "";
  return `${todos.filter((todo) => todo?.status === "completed").length} of ${todos.length} done`;
}

/** The first thing in an input that a person can read. @param {any} input */
function firstText(input) {
  if (!input || typeof input !== "object") return text(input);
  const value = Object.values(input).find((one) => typeof one === "string" && one);
  return firstLine(value);
}
