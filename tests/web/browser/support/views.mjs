// What a person finds on the page, by the names that everybody meets who sees it, hears it, or has it in Braille.

/** The list of conversations. @param {import("playwright-core").Page} page */
export function listOf(page) {
  // On a phone it is all that there is; elsewhere it stands beside what is open.
  const list = page.getByRole("complementary", { name: "Conversations" }).or(page.getByRole("main", { name: "Conversations" }));
  return {
    rows: list.getByRole("listitem"),
    search: page.getByLabel("Search conversations"),
    begin: page.getByRole("button", { name: "New", exact: true }),
  };
}

/** The conversation that is open. @param {import("playwright-core").Page} page */
export function conversationOf(page) {
  const said = page.getByRole("region", { name: "What was said" });
  const composer = page.getByRole("textbox", { name: "Message", exact: true });
  const queue = page.getByRole("region", { name: "Waiting messages" });
  const questions = page.getByRole("region", { name: "Questions of the agent" });
  return {
    said,
    composer,
    /** What waits, in its order; also what waits to be sent at all. */
    queued: queue.getByRole("listitem"),
    questions,
    question: (what) => questions.getByRole("article").filter({ hasText: what }),
    async says(text) {
      await composer.fill(text);
      await page.getByRole("button", { name: /^(Send|Queue the message)$/ }).click();
    },
    /** Waits until something is to be read in it. */
    shows: (text) => said.getByText(text, { exact: typeof text === "string" }).first().waitFor(),
    /** Does one of the things that a waiting message has in its menu. */
    async menuOfQueued(place, action) {
      await page.getByRole("button", { name: `Message ${place} of the queue` }).click();
      await page.getByRole("menuitem", { name: action }).click();
    },
  };
}

/** What the banner above everything says about the connection. @param {import("playwright-core").Page} page */
export function connectionOf(page) {
  return page.getByRole("status").filter({ hasText: /You are offline|cannot be reached|The server restarts|Connecting/ });
}
