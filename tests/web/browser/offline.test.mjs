// The network goes, and comes back.

import assert from "node:assert/strict";

import { conversation, device, heardAll, link, Relay, scenario, session } from "./support/scenario.mjs";
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
