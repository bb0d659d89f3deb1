// A conflict is seen in the project's view and decided there, and whoever is late is told.

import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";

import { conflictOver } from "./support/conflict.mjs";
import { call, link, projectPath, scenario } from "./support/scenario.mjs";
import { PHONE } from "./support/window.mjs";

const BEGIN = "one\ntwo\nthree\nfour\nfive\nsix\nseven\n";
const THERE = BEGIN.replace("two", "two there");
const WANTED = BEGIN.replace("two", "two wanted").replace("six", "six wanted");

const VERSIONS = { begin: BEGIN, there: THERE, wanted: WANTED };

const content = (filePath) => readFile(path.join(projectPath, filePath), "utf8");
const settle = (conflictId, deviceId) => call("POST", `/api/conflicts/${conflictId}/resolve`, { resolution: "ours", deviceId });

scenario("a conflict is written together, and the other window sees it settled", async ({ open }) => {
  const { place } = await conflictOver("together.txt", VERSIONS);
  const [desk, phone] = [await open("desk"), await open("phone", { viewport: PHONE })];
  await phone.page.goto(link(place));
  await phone.page.getByRole("button", { name: "Keep what is there" }).waitFor();
  await phone.isAccessible("an open conflict on a phone");

  const { page } = desk;
  await page.goto(link(`/p/${encodeURIComponent(projectPath)}`));
  await page.getByRole("link", { name: /together\.txt/ }).first().click();
  const clash = page.getByRole("group", { name: "Place 1 of 1", exact: true });
  for (const text of ["two there", "two wanted"]) await clash.getByText(text, { exact: true }).waitFor();
  await desk.isAccessible("an open conflict");

  await page.getByRole("button", { name: "Write together" }).click();
  const editor = page.getByRole("textbox", { name: "Written together" });
  assert.match(await editor.inputValue(), /^<{7} what is there$/m);
  await page.getByRole("button", { name: "Write this" }).click();
  await page.getByText("1 place still marked").waitFor();
  assert.equal(await content("together.txt"), THERE, "nothing is written while a mark is left");

  await clash.getByRole("button", { name: "What was wanted" }).click();
  assert.equal(await editor.inputValue(), WANTED);
  await editor.fill(WANTED.replace("seven", "seven by hand"));
  await page.getByRole("button", { name: "Write this" }).click();
  for (const window of [desk, phone]) await window.page.getByText("Both were written together, decided by").waitFor();
  assert.equal(await content("together.txt"), WANTED.replace("seven", "seven by hand"));
  await desk.isAccessible("a settled conflict");
});

scenario("whoever decides second is told who was faster", async ({ open }) => {
  const { conflictId, place } = await conflictOver("faster.txt", VERSIONS);
  const desk = await open("desk");
  const { page } = desk;
  await page.goto(link(place));
  await page.route("**/resolve", async (route) => {
    assert.equal((await settle(conflictId, "laptop")).success, true);
    await route.continue();
  });
  await page.getByRole("button", { name: "Take what was wanted" }).click();
  await page.getByRole("alert").getByText("laptop was faster: what is there stayed").waitFor();
  assert.equal(await content("faster.txt"), THERE);
  desk.expected(/409/);
});

scenario("a file that has changed again is shown first", async ({ open }) => {
  const { place } = await conflictOver("again.txt", VERSIONS);
  const desk = await open("desk");
  const { page } = desk;
  await page.goto(link(place));
  const now = THERE.replace("two there", "two once more");
  await page.route("**/resolve", async (route) => {
    await writeFile(path.join(projectPath, "again.txt"), now);
    await route.continue();
  }, { times: 1 });
  const take = page.getByRole("button", { name: "Take what was wanted" });
  await take.click();
  await page.getByRole("alert").getByText("has changed again").waitFor();
  await page.getByRole("group", { name: "Place 1 of 1", exact: true }).getByText("two once more", { exact: true }).waitFor();
  assert.equal(await content("again.txt"), now);
  desk.expected(/409/);
  await take.click();
  await page.getByText("The other version was taken, decided by").waitFor();
  assert.equal(await content("again.txt"), WANTED);
});
