// Starts the app.

import { App } from "./app.js";
import { loadIcons } from "./components/icon.js";
import { begin } from "./state/connection.js";
import { adoptToken } from "./state/identity.js";
import { watchQuestions } from "./state/notices.js";
import { listenToKeys } from "./state/shortcuts.js";
import { html, render } from "./ui.js";

adoptToken();
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
