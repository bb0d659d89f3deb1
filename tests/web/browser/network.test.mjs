// The page as a phone in the same network has it: over plain HTTP, to which browsers give less than to their own machine.

import assert from "node:assert/strict";

import { conversation, link, scenario, url } from "./support/scenario.mjs";
import { conversationOf } from "./support/views.mjs";
import { PHONE } from "./support/window.mjs";

/** The browser takes it for another machine (support/chromium.mjs). */
const elsewhere = `http://tandem.test:${new URL(url).port}`;

scenario("a phone in the network has a conversation", async ({ open }) => {
  const phone = await open("phone", { viewport: PHONE, isMobile: true, hasTouch: true });
  await phone.page.goto(link(conversation, elsewhere));
  const here = conversationOf(phone.page);
  await here.says("from the phone");
  await here.shows("echo: from the phone");
  assert.equal(await phone.page.evaluate(() => isSecureContext), false, "the browser trusts this address less");
});
