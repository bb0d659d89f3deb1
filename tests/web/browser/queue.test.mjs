// Messages that wait for their turn are edited, moved and taken back, and every window shows the same.

import assert from "node:assert/strict";

import { conversation, device, link, scenario, session } from "./support/scenario.mjs";
import { conversationOf } from "./support/views.mjs";
import { PHONE } from "./support/window.mjs";

scenario("what waits is edited, moved and taken back, also from the other window", async ({ open }) => {
  const desk = await open("desk");
  const phone = await open("phone", { viewport: PHONE, isMobile: true, hasTouch: true });
  const { client, events } = await device("script");
  await client.subscribe(session);
  for (const window of [desk, phone]) await window.page.goto(link(conversation));
  const [there, here] = [conversationOf(desk.page), conversationOf(phone.page)];
  const waits = async (...texts) => {
    for (const { queued } of [there, here]) {
      for (const [place, text] of texts.entries()) await queued.nth(place).getByText(text, { exact: true }).waitFor();
      await queued.nth(texts.length).waitFor({ state: "detached" });
    }
  };

  // It runs until it is interrupted.
  await there.says("/hang soft");
  await desk.page.getByRole("button", { name: "Interrupt the agent" }).waitFor();
  for (const text of ["one", "two", "three", "four"]) await there.says(text);
  await waits("one", "two", "three", "four");

  await here.menuOfQueued(2, "Edit");
  await phone.isAccessible("the dialog in which a message is edited");
  await phone.page.getByRole("dialog").getByLabel("Message").fill("two, and better");
  await phone.page.getByRole("button", { name: "Save" }).click();
  await waits("one", "two, and better", "three", "four");
  await there.menuOfQueued(1, "Take back");
  await waits("two, and better", "three", "four");
  await here.menuOfQueued(3, "Move to the front");
  await waits("four", "two, and better", "three");
  await desk.isAccessible("a conversation with a queue");

  await desk.page.getByRole("button", { name: "Interrupt the agent" }).click();
  for (const window of [there, here]) await window.shows("echo: three");
  const run = events.filter(({ kind, data }) => kind === "turn_ended" && data.outcome === "completed").map(({ data }) => data.text);
  assert.deepEqual(run, ["echo: four", "echo: two, and better", "echo: three"]);
});
