// The page without a network, and its next version.

import assert from "node:assert/strict";
import { after } from "node:test";

import { conversation, link, scenario, token } from "./support/scenario.mjs";
import { NextVersion } from "./support/next-version.mjs";

/** The page is kept, and shows what is kept. */
const isKept = () => navigator.serviceWorker.ready.then(() => Boolean(navigator.serviceWorker.controller));

scenario("it opens without a network", async ({ open }) => {
  const phone = await open("phone");
  const { page, context } = phone;
  await page.goto(link());
  await page.getByLabel("Search conversations").waitFor();
  await phone.until("the page is kept", isKept);
  phone.mayLoseTheNetwork();
  await context.setOffline(true);
  await page.reload();
  await page.getByLabel("Search conversations").waitFor();
  const banner = page.getByRole("status").filter({ hasText: /You are offline|cannot be reached/ });
  await banner.waitFor();
  await context.setOffline(false);
  await banner.waitFor({ state: "hidden" });
  await page.getByRole("link", { name: "New conversation in project" }).waitFor();
});

scenario("nothing that the server says is kept", async ({ open }) => {
  const desk = await open("desk");
  await desk.page.goto(link(conversation));
  await desk.until("the page is kept", isKept);
  const kept = await desk.page.evaluate(async () => {
    const names = await caches.keys();
    const shelves = await Promise.all(names.map(async (name) => (await caches.open(name)).keys()));
    return shelves.flat().map(({ url }) => new URL(url).pathname);
  });
  assert.ok(kept.includes("/") && kept.includes("/client.js") && kept.length > 20, kept.join());
  for (const path of kept) assert.doesNotMatch(path, /^\/(api|ws|health|metrics|shell\.js)/);
});

scenario("open windows keep their version until a person asks for the next one", async ({ open }) => {
  const server = await NextVersion.open();
  after(() => server.close());
  const link = `${server.url}/#token=${token}`;
  const desk = await open("desk");
  const { page, context } = desk;
  await page.goto(link);
  await desk.until("the page is kept", isKept);
  const version = () => document.querySelector("link[rel=manifest]") && globalThis.caches.keys().then((names) => names.join());
  const first = await page.evaluate(version);
  assert.match(first, /^tandem-shell-[0-9a-f]{16}$/);

  const other = await context.newPage();
  await other.goto(`${server.url}/`);
  await server.replaceThePage();
  await page.reload();
  await page.getByRole("button", { name: "Reload" }).waitFor();
  assert.equal(await page.getAttribute("html", "data-next"), null, "the reloaded window is of the version of the other");
  await Promise.all([other.waitForEvent("load"), page.getByRole("button", { name: "Reload" }).click()]);
  for (const window of [page, other]) await window.locator("html[data-next]").waitFor();
  await desk.until("the version before is forgotten", async (before) => !(await caches.keys()).join().includes(before), first);
});

scenario("who closes the last window gets the next version at the next visit", async ({ open }) => {
  const server = await NextVersion.open();
  after(() => server.close());
  const desk = await open("desk");
  const { page, context } = desk;
  await page.goto(`${server.url}/#token=${token}`);
  await desk.until("the page is kept", isKept);
  await server.replaceThePage();
  await page.reload();
  await desk.until("the next version waits", async () => Boolean((await navigator.serviceWorker.ready).waiting));
  await page.goto("about:blank");
  const next = await context.newPage();
  await next.goto(`${server.url}/`);
  await next.locator("html[data-next]").waitFor();
});
