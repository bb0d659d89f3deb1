// The server is killed with kill -9 while somebody writes; tests/browser.rs starts it again and looks at what it has kept.

import { conversation, link, scenario } from "./support/scenario.mjs";
import { connectionOf, conversationOf } from "./support/views.mjs";

scenario("a server that is killed is waited for, and gets what was written meanwhile", async ({ open }) => {
  const desk = await open("desk");
  await desk.page.goto(link(conversation));
  const here = conversationOf(desk.page);
  await here.says("before");
  await here.shows("echo: before");

  desk.mayLoseTheNetwork();
  // Written before the next server is up, however fast that is: the page is told nothing until then.
  await desk.context.setOffline(true);
  process.kill(Number(process.env.TANDEM_SERVER_PID), "SIGKILL");
  await connectionOf(desk.page).waitFor();
  await here.says("meanwhile");
  await here.queued.getByText("meanwhile").waitFor();
  await desk.context.setOffline(false);
  await here.shows("echo: meanwhile");
  await connectionOf(desk.page).waitFor({ state: "hidden" });
  await here.says("after");
  await here.shows("echo: after");
});
