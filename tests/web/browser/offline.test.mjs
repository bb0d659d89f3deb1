// The network goes, and comes back.

import assert from "node:assert/strict";

import { call, conversation, device, heardAll, link, projectPath, Relay, scenario, session } from "./support/scenario.mjs";
import { connectionOf, conversationOf } from "./support/views.mjs";
import { PHONE } from "./support/window.mjs";

scenario("what is written offline waits, shows so, and is sent once", async ({ open }) => {
  const phone = await open("phone", { viewport: PHONE, isMobile: true, hasTouch: true });
  const desk = await open("desk");
  const { client, events } = await device("script");
  await client.subscribe(session);
  const wire = await Relay.open();
  await phone.page.goto(link(conversation, wire.url));
  await desk.page.goto(link(conversation));
  const [here, there] = [conversationOf(phone.page), conversationOf(desk.page)];
  await here.says("before");
  await there.shows("echo: before");

  phone.mayLoseTheNetwork();
  // The browser says so, and what was open before breaks.
  await phone.context.setOffline(true);
  wire.pause();
  await connectionOf(phone.page).waitFor();
  await here.says("written in a tunnel");
  await here.queued.getByText("written in a tunnel").waitFor();
  await phone.isAccessible("a page without a network");
  // Reading goes on, there as here.
  await here.shows("echo: before");
  await there.says("meanwhile");
  await there.shows("echo: meanwhile");
  assert.equal(await there.said.getByText("written in a tunnel").count(), 0);

  wire.resume();
  await phone.context.setOffline(false);
  for (const window of [here, there]) {
    await window.shows("echo: written in a tunnel");
    await window.shows("echo: meanwhile");
  }
  await connectionOf(phone.page).waitFor({ state: "hidden" });
  const accepted = (await heardAll(events)).filter(({ kind }) => kind === "message_accepted").map(({ data }) => data.content);
  assert.deepEqual(accepted, ["before", "meanwhile", "written in a tunnel"]);
});

scenario("a message that is refused later is still there, also after a reload", async ({ open }) => {
  const { sessionId } = await call("POST", "/api/sessions", { projectPath });
  const wire = await Relay.open();
  const phone = await open("phone", { viewport: PHONE, isMobile: true, hasTouch: true });
  await phone.page.goto(link(`/s/${sessionId}`, wire.url));
  const here = conversationOf(phone.page);
  await here.composer.waitFor();
  phone.mayLoseTheNetwork();
  await phone.context.setOffline(true);
  wire.pause();
  await connectionOf(phone.page).waitFor();
  await here.says("words of an hour");
  await here.queued.getByText("words of an hour").waitFor();
  await call("DELETE", `/api/sessions/${sessionId}`);
  wire.resume();
  await phone.context.setOffline(false);
  const refused = phone.page.getByRole("group", { name: "A message that was not taken" });
  await refused.getByText("words of an hour").waitFor();
  await phone.isAccessible("a message that was refused");
  await phone.page.reload();
  await refused.getByRole("button", { name: "Copy the message" }).waitFor();
  await refused.getByRole("button", { name: "Discard the message" }).click();
  await refused.waitFor({ state: "detached" });
});
