// A wrong token is told, and asked for again.

import { scenario, token, url } from "./support/scenario.mjs";
import { PHONE } from "./support/window.mjs";

scenario("a wrong token is told, and the right one is taken", async ({ open }) => {
  const phone = await open("phone", { viewport: PHONE });
  const { page } = phone;
  await page.goto(url);
  const field = page.getByLabel("Token of the server");
  await field.waitFor();
  await phone.isAccessible("the form for the token");
  await field.fill(`${token.slice(0, -4)}AAAA`);
  await page.getByRole("button", { name: "Connect" }).click();
  await page.getByRole("alert").getByText("does not take this token").waitFor();
  await phone.isAccessible("the form that has refused a token");
  phone.expected(/401|HTTP Authentication failed/);
  await field.fill(token);
  await page.getByRole("button", { name: "Connect" }).click();
  await page.getByLabel("Search conversations").waitFor();
  // It is kept for the next visit.
  await page.reload();
  await page.getByLabel("Search conversations").waitFor();
});
