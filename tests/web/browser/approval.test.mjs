// A question of the agent, answered in the window of another device.

import assert from "node:assert/strict";
import { access } from "node:fs/promises";
import path from "node:path";

import { call, conversation, device, link, projectPath, scenario, session } from "./support/scenario.mjs";
import { conversationOf } from "./support/views.mjs";
import { PHONE } from "./support/window.mjs";

const has = (name) => access(path.join(projectPath, name)).then(() => true, () => false);

async function both(open) {
  const desk = await open("desk");
  const phone = await open("phone", { viewport: PHONE, isMobile: true, hasTouch: true });
  for (const window of [desk, phone]) {
    await window.page.goto(link(conversation));
    await conversationOf(window.page).composer.waitFor();
  }
  return { desk, phone, there: conversationOf(desk.page), here: conversationOf(phone.page) };
}

scenario("what one window asks for is allowed in the other", async ({ open }) => {
  const { desk, phone, there, here } = await both(open);
  await there.says("/tool touch allowed");
  await here.question("touch allowed").waitFor();
  await phone.isAccessible("a question");
  await desk.until("the title says that somebody is asked", () => /\(1\)/.test(document.title));
  assert.equal(await has("allowed"), false, "nothing is done before");
  await here.question("touch allowed").getByRole("button", { name: "Allow once" }).click();
  for (const window of [there, here]) await window.questions.waitFor({ state: "detached" });
  await desk.until("the title is as before", () => !/\(1\)/.test(document.title));
  await there.shows(/Done/);
  assert.equal(await has("allowed"), true);
});

scenario("a key that is held down answers one question, and none that has just come", async ({ open }) => {
  const { desk, there } = await both(open);
  const { page } = desk;
  // Hits the key in the moment in which a question is there: whoever does so meant something else.
  await page.evaluate(() => {
    globalThis.hits = 0;
    new MutationObserver(() => {
      if (!document.querySelector("article.approval") || globalThis.hits > 0) return;
      globalThis.hits += 1;
      document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "a", bubbles: true }));
    }).observe(document.body, { childList: true, subtree: true });
  });
  const readable = (what) => there.question(what).getByRole("button", { name: "Allow once" }).and(page.locator(":enabled"));
  await there.says("/approvals 2");
  await there.questions.getByRole("heading", { name: "2 questions wait for you" }).waitFor();
  await page.locator(".long-list").focus();
  await readable("/simulated/0").waitFor();
  assert.equal(await page.evaluate(() => globalThis.hits), 1);
  await page.keyboard.down("a");
  await readable("/simulated/1").waitFor();
  for (let times = 0; times < 5; times += 1) await page.keyboard.down("a");
  await page.keyboard.up("a");
  assert.equal(await readable("/simulated/1").count(), 1, "it waits for another press");
  await page.keyboard.press("a");
  await there.questions.waitFor({ state: "detached" });
  await there.shows(/Done/);
});

scenario("a denial reaches the agent with its reason", async ({ open }) => {
  const { there, here } = await both(open);
  await there.says("/tool touch denied");
  await here.question("touch denied").getByRole("button", { name: "Deny" }).click();
  await here.questions.getByLabel(/instead/).fill("not in this folder");
  await here.questions.getByRole("button", { name: "Deny" }).click();
  for (const window of [there, here]) await window.questions.waitFor({ state: "detached" });
  await there.shows(/not in this folder/);
  assert.equal(await has("denied"), false);
});

scenario("several at once are answered one by one, also by a script", async ({ open }) => {
  const { phone, there, here } = await both(open);
  const { client } = await device("script");
  await client.subscribe(session);
  await there.says("/approvals 3");
  await here.questions.getByRole("heading", { name: "3 questions wait for you" }).waitFor();
  const { approvals } = await call("GET", `/api/sessions/${session}/approvals`);
  await client.approve(session, approvals[1].requestId, { decision: "allow" });
  await here.questions.getByRole("heading", { name: "2 questions wait for you" }).waitFor();
  await phone.isAccessible("several questions");
  // The first one is open; the other one opens by a touch.
  await here.questions.getByRole("button", { name: /\/simulated\/2/ }).click();
  await here.question("/simulated/2").getByRole("button", { name: "Allow once" }).click();
  await there.question("/simulated/0").getByRole("button", { name: "Allow once" }).click();
  for (const window of [there, here]) await window.questions.waitFor({ state: "detached" });
  await there.shows(/Done/);
});
