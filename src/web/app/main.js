// Starts the app.

import { App } from "./app.js";
import { loadIcons } from "./components/icon.js";
import { begin } from "./state/connection.js";
import { adoptToken } from "./state/identity.js";
import { nextVersion } from "./state/next-version.js";
import { readAddress } from "./state/route.js";
import { watchQuestions } from "./state/notices.js";
import { listenToKeys } from "./state/shortcuts.js";
import { html, render } from "./ui.js";

adoptToken();
readAddress();
void loadIcons();
void begin();
listenToKeys();
watchQuestions();
// A link with a token may be opened in a window where the app is open already.
addEventListener("hashchange", () => {
  if (location.hash.startsWith("#token=")) location.reload();
});
const root = /** @type {HTMLElement} */ (document.getElementById("app"));
root.replaceChildren();
render(html`<${App} />`, root);
// Only now: it keeps the page for the next visit, and this one does not wait for that.
void import("./install.js").then(({ install }) => install((apply) => void (nextVersion.value = () => apply())));
