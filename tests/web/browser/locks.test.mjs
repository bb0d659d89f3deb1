// Locks of a project: who holds what, who waits, and taking one away.

import assert from "node:assert/strict";

import { call, device, link, projectPath, scenario } from "./support/scenario.mjs";
import { PHONE } from "./support/window.mjs";

const lock = { type: "lock_request", lockType: "file", resourceId: "shared.txt" };

scenario("a lock is seen, and taken away for the one that waits", async ({ open }) => {
  const [laptop, tablet] = [await device("laptop", { deviceName: "Ada's laptop" }), await device("tablet")];
  const { projectPath: canonical } = await tablet.client.subscribeProject(projectPath);
  const [desk, phone] = [await open("desk"), await open("phone", { viewport: PHONE })];
  for (const { page } of [desk, phone]) {
    await page.goto(link(`/p/${encodeURIComponent(projectPath)}`));
    await page.getByText("Nothing is locked.").waitFor();
  }
  await laptop.client.command({ ...lock, projectPath: canonical });
  const waiting = tablet.client.command({ ...lock, projectPath: canonical, wait: true });
  for (const { page } of [desk, phone]) {
    const locks = page.getByRole("region", { name: "Locks" });
    await locks.getByRole("listitem").filter({ hasText: "Ada's laptop" }).getByText(/holds it/).first().waitFor();
    await locks.getByText(/waits, next/).waitFor();
  }
  for (const window of [desk, phone]) await window.isAccessible("a project with locks");

  const { page } = desk;
  await page.getByRole("button", { name: "Take the lock of shared.txt away" }).click();
  const dialog = page.getByRole("dialog", { name: "Take the lock away?" });
  await dialog.getByText(/Ada's laptop may be in the middle/).waitFor();
  await desk.isAccessible("the question whether to take a lock away");
  await dialog.getByRole("button", { name: "Take it away" }).click();
  assert.equal((await waiting).resourceId, "shared.txt");
  const { locks } = await call("GET", `/api/locks?project=${encodeURIComponent(projectPath)}`);
  assert.deepEqual(locks.map(({ holder, isWaiting }) => [holder.deviceId, isWaiting]), [["tablet", false]]);
  for (const { page: seen } of [desk, phone]) {
    await seen.getByRole("region", { name: "Activity" }).getByText("took away the lock of shared.txt").waitFor();
    await seen.getByRole("region", { name: "Locks" }).getByText(/waits/).waitFor({ state: "hidden" });
  }
});

scenario("what a device says of its place is seen, and what has happened can be filtered", async ({ open }) => {
  const laptop = await device("laptop", { deviceName: "Ada's laptop" });
  const { projectPath: canonical } = await laptop.client.subscribeProject(projectPath);
  const desk = await open("desk");
  const { page } = desk;
  await page.goto(link(`/p/${encodeURIComponent(projectPath)}`));
  await page.getByRole("region", { name: "Activity" }).waitFor();
  const say = (more) => laptop.client.command({ projectPath: canonical, ...more });
  await say({ type: "cursor_position", filePath: `${canonical}/src/a.rs`, line: 7 });
  await page.getByRole("region", { name: "Who works here" }).getByText("src/a.rs:7").waitFor();
  for (let number = 0; number < 6; number += 1) await say({ type: "file_change", filePath: `file-${number}.txt`, changeType: "modified" });
  const activity = page.getByRole("region", { name: "Activity" });
  await activity.getByText(/changed file-0\.txt, file-1\.txt, file-2\.txt, file-3\.txt and 2 more/).waitFor();
  await activity.getByRole("button", { name: "Conflicts" }).click();
  await activity.getByText("Nothing of this sort has happened lately.").waitFor();
});
