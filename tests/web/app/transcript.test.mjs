// A conversation as it looks: events folded into messages, answers, calls of tools and ends of turns.

import assert from "node:assert/strict";
import { test } from "node:test";

import { attachmentsOf, textOf, Transcript } from "../../../src/web/app/core/transcript.js";

/** Events with their numbers, from pairs of kind and data. */
function events(...pairs) {
  return pairs.map(([kind, data], place) => ({ seq: place + 1, at: "2026-01-01T12:00:00.000Z", kind, data }));
}

const accepted = (messageId, content = messageId, deviceId = "phone") => ["message_accepted", { messageId, content, deviceId, mode: "queue" }];
const begun = (messageId, turn = 1, attempt = 1) => ["turn_dispatched", { messageId, turn, attempt }];
const ended = (messageId, more = {}) => ["turn_ended", { messageId, turn: 1, outcome: "completed", durationMs: 5, ...more }];
const says = (...content) => ["agent_message", { message: { type: "assistant", message: { content }, parent_tool_use_id: null } }];
const inside = (parent, ...content) => ["agent_message", { message: { type: "assistant", message: { content }, parent_tool_use_id: parent } }];
const text = (words) => ({ type: "text", text: words });
const call = (id, name = "Bash") => ({ type: "tool_use", id, name, input: { command: id } });
const result = (id, content, more = {}) => ["agent_message", { message: { type: "user", message: { content: [{ type: "tool_result", tool_use_id: id, content, ...more }] } } }];

const kinds = ({ items }) => items.map(({ kind }) => kind);

test("a message stands where its turn begins, with what was last said in it", () => {
  const { items } = new Transcript(events(
    accepted("one"), begun("one"), accepted("two", "first words", "laptop"),
    ["message_edited", { messageId: "two", content: "second words", by: { deviceId: "tablet" } }],
    says(text("hello")), ended("one"), begun("two", 2),
  ));
  assert.deepEqual(items.map(({ kind }) => kind), ["message", "text", "end", "message"]);
  assert.deepEqual([items[3].content, items[3].deviceId], ["second words", "laptop"], "who edits is not who has said it");
});

test("a message that was cancelled, or waits, is not there", () => {
  const transcript = new Transcript(events(accepted("one"), accepted("two"), ["message_cancelled", { messageId: "one" }]));
  assert.deepEqual(transcript.items, []);
});

test("a turn that is written to another agent once more has its message once", () => {
  const transcript = new Transcript(events(accepted("one"), begun("one"), begun("one", 1, 2), says(text("hi")), ended("one")));
  assert.deepEqual(kinds(transcript), ["message", "text", "end"]);
});

test("one whose message is older than what is known says so", () => {
  const { items } = new Transcript(events(begun("old"), ended("old")));
  assert.equal(items[0].content, null);
});

test("results and questions are put into the call, which is another object then", () => {
  const transcript = new Transcript(events(accepted("one"), begun("one"), says(text("let me see"), call("t1")), says(call("t2"))));
  const before = transcript.items[2];
  assert.deepEqual([before.id, before.result, before.isOver], ["t1", null, false]);
  for (const event of events(
    ["approval_requested", { requestId: "r", tool: "Bash", input: {}, toolUseId: "t1" }],
    ["approval_resolved", { requestId: "r", decision: "allow", by: { deviceId: "tablet" } }],
    result("t1", [text("a"), text("b"), { type: "image", source: {} }]), result("t2", "broken", { is_error: true }),
  )) transcript.add({ ...event, seq: event.seq + 10 });
  const [, , first, second] = transcript.items;
  assert.notEqual(first, before);
  assert.equal(first.key, before.key);
  assert.deepEqual([first.asked.decision, first.asked.by.deviceId], ["allow", "tablet"]);
  assert.deepEqual([first.result.text, first.result.images.length, first.result.isError], ["a\nb", 1, false]);
  assert.deepEqual([second.result.text, second.result.isError], ["broken", true]);
});

test("a question that comes before its call is the same call", () => {
  const transcript = new Transcript(events(
    accepted("one"), begun("one"), ["approval_requested", { requestId: "r", tool: "Bash", input: { command: "ls" }, toolUseId: "t1" }], says(call("t1")),
  ));
  assert.deepEqual(kinds(transcript), ["message", "tool"]);
  assert.equal(transcript.items[1].name, "Bash");
});

test("a call that has no result when the turn ends will have none", () => {
  const { items } = new Transcript(events(accepted("one"), begun("one"), says(call("t1")), ended("one", { outcome: "interrupted" })));
  assert.deepEqual([items[1].result, items[1].isOver], [null, true]);
});

test("what a helper does lies inside of the call that began it, at any depth", () => {
  const transcript = new Transcript(events(
    accepted("one"), begun("one"), says(call("t1", "Task")), inside("t1", text("looking"), call("t2", "Task")), inside("t2", call("t3")),
    result("t3", "found"), says(text("done")),
  ));
  assert.deepEqual(kinds(transcript), ["message", "tool", "text"]);
  const [looking, deeper] = transcript.items[1].inside;
  assert.deepEqual([looking.text, deeper.id, deeper.inside[0].id, deeper.inside[0].result.text], ["looking", "t2", "t3", "found"]);
});

test("an answer that only the end of the turn has is shown, and none is shown twice", () => {
  assert.deepEqual(kinds(new Transcript(events(accepted("one"), begun("one"), ended("one", { text: "recap" })))), ["message", "text", "end"]);
  assert.deepEqual(kinds(new Transcript(events(accepted("one"), begun("one"), says(text("hi")), ended("one", { text: "hi" })))), ["message", "text", "end"]);
});

test("keys are the same when older events are put in front", () => {
  const all = events(accepted("one"), begun("one"), says(text("hi"), text("there"), call("t")), ended("one"));
  const late = new Transcript(all.slice(2)).items.map(({ key }) => key);
  const whole = new Transcript(all).items.map(({ key }) => key);
  assert.deepEqual(whole.slice(1), late);
  assert.equal(new Set(whole).size, whole.length);
});

test("what nobody knows is left out, and nothing breaks", () => {
  const odd = ["agent_message", "user_thing"].map((type) => ["agent_message", { message: { type } }]);
  const transcript = new Transcript(events(
    ...odd, ["agent_message", { message: null }], ["agent_message", { message: { type: "assistant" } }], ["something_new", {}],
    ["agent_message", { message: { type: "assistant", message: { content: [null, { type: "new_block" }, "text", { type: "text", text: { deep: 1 } }] } } }],
    ["agent_stopped", { reason: "idle" }], ["agent_stopped", { reason: "crashed", detail: "exit code 1" }],
  ));
  assert.deepEqual(transcript.items.map(({ kind, text: words }) => [kind, words]), [["notice", "The agent ended unexpectedly. exit code 1"]]);
});

test("text and attachments of a message are told apart", () => {
  const content = [{ type: "image", source: {} }, text("look"), text("here"), { type: "document", title: "a" }];
  assert.equal(textOf(content), "look\nhere");
  assert.equal(textOf("plain"), "plain");
  assert.deepEqual(attachmentsOf(content).map(({ type }) => type), ["image", "document"]);
  assert.deepEqual(attachmentsOf(null), []);
});
