// The main views at the widths of a phone, a tablet and a desk, light and dark: nothing sticks out, nobody is shut out, and
// a picture of each is kept in target/screenshots to be looked at.

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import { conflictOver } from "./support/conflict.mjs";
import { call, device, link, projectPath, scenario, session } from "./support/scenario.mjs";
import { conversationOf, listOf } from "./support/views.mjs";
import { DESK, PHONE, TABLET } from "./support/window.mjs";

const FOLDER = fileURLToPath(new URL("../../../target/screenshots/", import.meta.url));

const SIZES = { phone: PHONE, tablet: TABLET, desk: DESK };

const ANSWER = `## What I found

The test \`resumes_from_its_cursor\` fails because the **cursor** is written after the answer:

\`\`\`rust
fn acknowledge(&mut self, seq: Seq) -> Result<(), JournalError> {
    self.cursor = self.cursor.max(seq);
    self.journal.append(Event::Acknowledged { seq })
}
\`\`\`

1. Append first, then answer.
2. Load the cursor when the session is loaded.

| device | cursor | behind |
|---|---|---|
| laptop | 412 | 0 |
| phone | 398 | 14 |`;

/** A conversation as it looks in the middle of a day's work, and others beside it. */
async function work() {
  const { client } = await device("laptop", { deviceName: "Laptop" });
  const title = "The cursor test fails after a restart";
  const says = async (text) => {
    const messageId = crypto.randomUUID();
    const ended = new Promise((resolve) => client.on("event", ({ kind, data }) => kind === "turn_ended" && data.messageId === messageId && resolve()));
    const asked = new Promise((resolve) => client.on("event", ({ kind, data }) => kind === "approval_requested" && resolve(data)));
    await client.submit(main, text, { messageId });
    return { ended, asked };
  };
  for (const [title, text] of [["Rename the fields of the protocol", "done"], ["Why is the build slow?", "/error the model is overloaded"], ["Release notes for 0.2", "hello"]]) {
    const created = await client.createSession({ projectPath, title });
    await client.submit(created, text);
  }
  const main = await client.createSession({ projectPath, title });
  await client.subscribe(main);
  for (const text of ["Why does the cursor test fail?", ANSWER]) await (await says(text)).ended;
  const { asked, ended } = await says("/write cursor.rs fn acknowledge() {}");
  const { requestId } = await asked;
  await client.approve(main, requestId, { decision: "allow" });
  await ended;
  await (await says("/tool cargo test resumes")).asked;
  await client.submit(main, "Then write the changelog");
  return main;
}

/** Locks, somebody who waits, and a conflict, as they are on such a day; answers with the place of the conflict. */
async function disagree() {
  const [laptop, pixel] = [await device("laptop", { deviceName: "Laptop" }), await device("pixel", { deviceName: "Pixel" })];
  const line = (number) => `    // What the cursor is there for, in line ${number}`;
  const begin = `${Array.from({ length: 30 }, (_, number) => line(number + 1)).join("\n")}\n`;
  const changed = (number, text, of = begin) => of.replace(line(number), `    ${text}`);
  const { place } = await conflictOver("src/cursor.rs", {
    begin,
    there: changed(4, "// It only rises", changed(17, "self.journal.append(Event::Acknowledged { seq })?;")),
    wanted: changed(26, "// And it survives", changed(17, "self.journal.append_all([Event::Acknowledged { seq }])")),
  });
  const lock = { type: "lock_request", projectPath, lockType: "file" };
  for (const resourceId of ["src/session.rs", "docs"]) await laptop.client.command({ ...lock, resourceId });
  const waiting = { ...lock, resourceId: "src/session.rs", wait: true };
  // Nobody gives it back before the scenario ends.
  pixel.client.command(waiting).catch(() => {});
  return place;
}

/** Nothing is wider than the window: nobody scrolls sideways. */
async function fits(window, what) {
  const wide = await window.page.evaluate(() => {
    const { clientWidth, scrollWidth } = document.documentElement;
    const sticksOut = (element) => {
      const { right, width } = element.getBoundingClientRect();
      return width > 0 && right > clientWidth + 1 && !element.closest("pre, table, .long-list-item, [hidden], .skip");
    };
    const outside = [...document.body.querySelectorAll("*")].filter(sticksOut).map((element) => element.outerHTML.slice(0, 120));
    return scrollWidth > clientWidth ? [`the page is ${scrollWidth} wide`, ...outside] : outside;
  });
  assert.deepEqual(wide, [], `${window.name}: ${what} fits`);
}

scenario("who comes first sees what to do", async ({ open }) => {
  await mkdir(FOLDER, { recursive: true });
  await call("DELETE", `/api/sessions/${session}`);
  for (const colorScheme of ["light", "dark"]) {
    const window = await open(`phone ${colorScheme}`, { viewport: PHONE, colorScheme, reducedMotion: "reduce" });
    const { page } = window;
    await page.goto(link());
    await page.getByRole("heading", { name: "No conversations yet" }).waitFor();
    await window.isAccessible("an empty list");
    await page.screenshot({ path: `${FOLDER}empty-360-${colorScheme}.png` });
    await listOf(page).begin.click();
    await page.getByRole("dialog").waitFor();
    await fits(window, "the dialog");
    await window.isAccessible("the dialog in which a conversation begins");
    await page.screenshot({ path: `${FOLDER}new-360-${colorScheme}.png` });
    await window.context.close();
  }
});

scenario("the main views fit every width, and are accessible", async ({ open }) => {
  await mkdir(FOLDER, { recursive: true });
  const main = await work();
  const conflict = await disagree();
  const views = [
    ["conversations", "/", (page) => listOf(page).rows.nth(3)],
    ["conversation", `/s/${main}`, (page) => conversationOf(page).questions],
    ["projects", "/projects", (page) => page.getByRole("main").getByRole("listitem").first()],
    ["project", `/p/${encodeURIComponent(projectPath)}`, (page) => page.getByRole("region", { name: "Locks" }).getByText("docs", { exact: true })],
    ["conflict", conflict, (page) => page.getByRole("group", { name: "Place 1 of 1", exact: true })],
    ["server", "/server", (page) => page.getByRole("region", { name: "Settings in force" }).getByText("shutdown")],
  ];
  for (const colorScheme of ["light", "dark"]) {
    for (const [size, viewport] of Object.entries(SIZES)) {
      const window = await open(`${size} ${colorScheme}`, { viewport, colorScheme, reducedMotion: "reduce" });
      const { page } = window;
      await page.goto(link());
      for (const [name, place, ready] of views) {
        await page.evaluate((fragment) => void (location.hash = fragment), place);
        await ready(page).waitFor();
        // Whoever opens a conversation sees its end.
        await page.getByRole("button", { name: "Newest" }).waitFor({ state: "detached" });
        await fits(window, name);
        await window.isAccessible(name);
        await page.screenshot({ path: `${FOLDER}${name}-${viewport.width}-${colorScheme}.png` });
      }
      await window.context.close();
    }
  }
});
