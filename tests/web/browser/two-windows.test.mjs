// Two windows on two devices, and a scripted device: what happens on one is seen on all, at once and in the same order.

import assert from "node:assert/strict";

import { conversation, device, link, scenario, session } from "./support/scenario.mjs";
import { conversationOf } from "./support/views.mjs";
import { PHONE } from "./support/window.mjs";

/** All that was said, as it stands in a window. */
async function told(page) {
  const articles = await conversationOf(page).said.getByRole("article").allInnerTexts();
  // Each device calls itself "This device", and the times of the answers are the same.
  return articles.map((text) => text.replace(/^.*\n/, "").trim());
}

scenario("what is said anywhere is seen everywhere", async ({ open }) => {
  const desk = await open("desk");
  const phone = await open("phone", { viewport: PHONE, isMobile: true, hasTouch: true });
  const { client } = await device("script");
  await client.subscribe(session);
  for (const window of [desk, phone]) await window.page.goto(link(conversation));
  const [there, here] = [conversationOf(desk.page), conversationOf(phone.page)];

  await there.says("from the desk");
  await here.shows("echo: from the desk");
  await here.says("from the phone");
  await there.shows("echo: from the phone");
  await client.submit(session, "from the script");
  for (const window of [there, here]) await window.shows("echo: from the script");
  assert.deepEqual(await told(phone.page), await told(desk.page));
});

scenario("an answer grows in both windows while it comes", async ({ open }) => {
  const desk = await open("desk");
  const phone = await open("phone", { viewport: PHONE });
  for (const window of [desk, phone]) await window.page.goto(link(conversation));
  await conversationOf(phone.page).composer.waitFor();
  await conversationOf(desk.page).says("/slow 40 50");
  const growing = (page) => page.locator(".is-growing");
  await Promise.all([desk, phone].map(({ page }) => growing(page).filter({ hasText: "5" }).waitFor()));
  // It is shown before it is finished, and nowhere twice after that.
  await Promise.all([desk, phone].map(({ page }) => growing(page).waitFor({ state: "detached" })));
  assert.deepEqual(await told(phone.page), await told(desk.page));
});

scenario("who writes is seen by the other, and a draft follows", async ({ open }) => {
  const desk = await open("desk");
  const phone = await open("phone", { viewport: PHONE });
  for (const window of [desk, phone]) await window.page.goto(link(conversation));
  await conversationOf(phone.page).composer.waitFor();
  await conversationOf(desk.page).composer.pressSequentially("half a thou");
  await phone.page.getByText(/ types…$/).waitFor();
  await phone.page.getByText("half a thou").waitFor();
  await phone.isAccessible("a draft of another device");
  await phone.page.getByRole("button", { name: "Go on here" }).click();
  await conversationOf(phone.page).composer.press("End");
  await conversationOf(phone.page).composer.pressSequentially("ght");
  await phone.page.getByRole("button", { name: "Send" }).click();
  await conversationOf(desk.page).shows("echo: half a thought");
});
