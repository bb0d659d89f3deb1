// What is shown of calls, changes, questions, drafts and Markdown.

import assert from "node:assert/strict";
import { test } from "node:test";

import { answered, chosen, questionsOf } from "../../../src/web/app/core/answers.js";
import { changeCount, diffRows, patchRows } from "../../../src/web/app/core/diff-rows.js";
import { canShare, draftOf, draftsOfOthers, restored, takenOver } from "../../../src/web/app/core/drafts.js";
import { describe, editsOf } from "../../../src/web/app/core/tools.js";

test("a call is told in a few words, with paths as seen from the project", () => {
  const told = (name, input) => { const { title, detail } = describe(name, input, "/srv/app"); return [title, detail]; };
  assert.deepEqual(told("Bash", { command: "cargo test\ncargo fmt", description: "Run the tests" }), ["Run the tests", "cargo test …"]);
  assert.deepEqual(told("Edit", { file_path: "/srv/app/src/main.rs" }), ["Edit", "src/main.rs"]);
  assert.deepEqual(told("Read", { file_path: "/etc/hosts" }), ["Read", "/etc/hosts"]);
  assert.deepEqual(told("TodoWrite", { todos: [{ status: "completed" }, { status: "pending" }] }), ["To do", "1 of 2 done"]);
  assert.deepEqual(told("mcp__github__create_issue", { title: "Broken" }), ["github: create issue", "Broken"]);
  assert.deepEqual(told("Unheard", { deep: { x: 1 } }), ["Unheard", ""]);
});

test("input of any shape is told without breaking", () => {
  for (const name of ["Bash", "Edit", "Write", "Read", "Grep", "Task", "TodoWrite", "AskUserQuestion", "ExitPlanMode", "Other", "constructor", "toString"]) {
    for (const input of [null, undefined, "text", 7, [], {}, { command: 5, file_path: {}, todos: "no", questions: [null] }, { todos: [null] }]) {
      const { title, detail } = describe(name, input, "/p");
      assert.equal(typeof title + typeof detail, "stringstring", `${name} ${JSON.stringify(input)}`);
      assert.ok(Array.isArray(editsOf(name, input)));
    }
  }
});

test("a diff has its changes, three lines around them, and gaps that are counted", () => {
  const before = Array.from({ length: 30 }, (_, line) => `line ${line}`);
  const after = [...before];
  after[10] = "changed";
  after.push("added");
  const rows = diffRows(before.join("\n") + "\n", after.join("\n") + "\n");
  const shape = rows.map((row) => (row.type === "gap" ? `gap ${row.count}` : { same: "=", added: "+", removed: "-" }[row.type])).join(" ");
  assert.equal(shape, "gap 7 = = = - + = = = gap 13 = = = +");
  assert.deepEqual(changeCount(rows), { added: 2, removed: 1 });
  assert.deepEqual(rows.at(-1), { type: "added", before: null, after: 31, text: "added" });
});

test("a new file is all added, and very long texts are not compared line by line", () => {
  assert.deepEqual(diffRows("", "a\nb\n").map(({ type, text }) => [type, text]), [["added", "a"], ["added", "b"]]);
  const long = Array.from({ length: 3_000 }, (_, line) => `${line}`).join("\n");
  const started = performance.now();
  assert.deepEqual(changeCount(diffRows(long, `x\n${long}`)), { added: 3_001, removed: 3_000 });
  assert.ok(performance.now() - started < 1_000);
});

test("the agent's own account of a change is taken as it is, and what is none is not", () => {
  const rows = patchRows([{ oldStart: 5, newStart: 5, lines: [" a", "-b", "+c", "\\ No newline at end of file"] }, { oldStart: 50, newStart: 50, lines: ["+d"] }]);
  assert.deepEqual(rows.map(({ type, before, after, text }) => [type, before, after, text]), [
    ["same", 5, 5, "a"], ["removed", 6, null, "b"], ["added", null, 6, "c"], ["gap", undefined, undefined, undefined], ["added", null, 50, "d"],
  ]);
  for (const other of [null, [], {}, "x", [{ lines: 5 }]]) assert.equal(patchRows(other), null);
});

test("questions are answered when each has an answer", () => {
  const input = { questions: [{ question: "Which?", options: [{ label: "A" }, { label: "B" }] }, { question: "What else?", multiSelect: true }], kept: 1 };
  const [one, many] = questionsOf(input);
  const first = chosen(one, chosen(one, { labels: [], other: "" }, "A"), "B");
  const second = chosen(many, chosen(many, chosen(many, { labels: [], other: "mine " }, "X"), "Y"), "X");
  assert.equal(answered(input, [first, { labels: [], other: " " }]), null);
  assert.deepEqual(answered(input, [first, second]), { ...input, answers: { "Which?": "B", "What else?": "Y, mine" } });
  assert.equal(answered({}, []), null);
  assert.deepEqual(questionsOf({ questions: [null, 5, { question: 6 }] }), []);
});

test("drafts of other devices are found, and taken over below what is written here", () => {
  const shared = { "draft.me": "mine", "draft.phone": "theirs", "draft.tv": { text: "seen" }, "draft.old": " ", "draft.odd": 5, other: "x" };
  assert.equal(draftOf(shared, "me"), "mine");
  const others = draftsOfOthers(shared, "me");
  assert.deepEqual(others, [{ deviceId: "phone", text: "theirs" }, { deviceId: "tv", text: "seen" }]);
  assert.deepEqual(takenOver("mine\n", "me", others[0]), { text: "mine\n\ntheirs", patch: { "draft.me": "mine\n\ntheirs", "draft.phone": null } });
  assert.equal(takenOver(" ", "me", others[0]).text, "theirs");
});

test("a draft of before the reload is not lost, whatever came of it elsewhere", () => {
  assert.equal(restored("mine, longer", "mine", "mine"), "mine, longer", "nothing has changed there");
  assert.equal(restored("", "", "handed over"), "handed over", "nothing was written here");
  assert.equal(restored("sent there", "sent there", ""), "", "it was gone on with elsewhere");
  assert.equal(restored("mine", "", ""), "mine", "it was never shared");
  assert.equal(restored("mine", "m", "theirs"), "mine\n\ntheirs", "both have words that the other has not");
  assert.equal(restored("mine, and theirs", "m", "theirs"), "mine, and theirs");
  assert.equal(restored("theirs", "t", "theirs, and more"), "theirs, and more");
});

test("a draft that the server would not take stays on this device", () => {
  assert.ok(canShare("x".repeat(16_000)));
  assert.ok(!canShare("x".repeat(16_384)));
  assert.ok(!canShare('"'.repeat(9_000)), "as JSON it is twice as long");
  assert.ok(!canShare("ü".repeat(9_000)), "bytes count, not letters");
});

test("questions of any shape can be asked", () => {
  assert.deepEqual(questionsOf({ questions: [null, { question: 5 }, { question: "Which?", options: "a" }, { question: "Which?", options: [null, { label: "A" }, {}] }] }),
    [{ question: "Which?", options: [] }, { question: "Which?", options: [{ label: "A" }] }]);
});
