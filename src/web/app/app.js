// The whole window: the form for a token, or the list of conversations and the view of the place, over each other on a
// phone and side by side where there is room.

import { Badge } from "./components/badge.js";
import { ConnectionBanner } from "./components/connection-banner.js";
import { DialogHost } from "./components/dialog.js";
import { Empty } from "./components/empty.js";
import { openHelp } from "./components/help-sheet.js";
import { Icon } from "./components/icon.js";
import { Lazy } from "./components/lazy.js";
import { NextVersion } from "./components/next-version.js";
import { formatRoute } from "./core/routes.js";
import { titleOf } from "./core/session-list.js";
import { approvalsWaiting, connection, sessions } from "./state/connection.js";
import { go, route } from "./state/route.js";
import { addShortcuts } from "./state/shortcuts.js";
import { isWide } from "./state/width.js";
import { turnTheme } from "./state/theme.js";
import { toast } from "./state/toasts.js";
import { html, useEffect } from "./ui.js";
import { views } from "./views.js";
import { SessionsPane } from "./views/sessions.js";
import { TokenForm } from "./views/token.js";

export function App() {
  const { state } = connection.value;
  const hasToken = state !== "none" && !(connection.value.state === "closed" && connection.value.code === "unauthorized");
  const title = windowTitle();
  useEffect(() => {
    document.title = title;
  }, [title]);
  return html`${hasToken ? html`<${Shell} />` : html`<${TokenForm} />`}<${DialogHost} />`;
}

/** What waits for the person, then where they are. */
function windowTitle() {
  const now = route.value;
  const waiting = approvalsWaiting.value;
  const session = now.view === "session" ? sessions.value?.get(now.sessionId) : undefined;
  const place = session ? titleOf(session) : now.view === "sessions" ? "" : views[now.view].title;
  return `${waiting > 0 ? `(${waiting}) ` : ""}${place ? `${place} · ` : ""}Tandem`;
}

function Shell() {
  const now = route.value;
  useEffect(() => addShortcuts(GENERAL), []);
  useEffect(() => {
    // Whoever listens hears the new place, and not the link that was left behind.
    const main = document.getElementById("main");
    if (now.view !== "sessions" && !main?.contains(document.activeElement)) main?.focus({ preventScroll: true });
  }, [now]);
  return html`<div class=${`shell is-at-${now.view}`}>
    <a class="skip" href="#main" onClick=${focusMain}>Skip to the content</a>
    <div class="banners"><${ConnectionBanner} /><${NextVersion} /></div>
    <div class="side" role=${now.view === "sessions" && !isWide.value ? "main" : "complementary"} aria-label="Conversations"><${SessionsPane} /></div>
    <main class="main" id="main" tabindex="-1"><${Place} /></main>
    <${Tabs} />
  </div>`;
}

function Place() {
  const now = route.value;
  if (now.view === "sessions") return html`<${NothingOpen} />`;
  const view = views[now.view];
  return html`<${Lazy} key=${`${now.view} ${view.key?.(now) ?? ""}`} load=${view.load} props=${{ route: now }} title=${view.title} />`;
}

function NothingOpen() {
  return html`<${Empty} icon="messages-square" heading="No conversation is open">
    <p>Choose one from the list, or begin a new one. Press <kbd>?</kbd> for the keys.</p>
  <//>`;
}

const TABS = /** @type {const} */ ([
  { view: "sessions", icon: "messages-square", label: "Conversations" },
  { view: "projects", icon: "folder", label: "Projects" },
  { view: "server", icon: "server", label: "Server" },
]);

function Tabs() {
  const now = route.value.view;
  const chosen = now === "session" ? "sessions" : now === "project" ? "projects" : now;
  return html`<nav class="tabs" aria-label="Parts of the app">
    ${TABS.map(({ view, icon, label }) => html`<a key=${view} class="tab" href=${formatRoute({ view })} aria-current=${view === chosen ? "page" : undefined}>
      <${Icon} name=${icon} size=${20} /><span>${label}</span>
      ${view === "sessions" && approvalsWaiting.value > 0 && html`<${Badge} tone="warn" label="questions wait for you">${approvalsWaiting.value}<//>`}
    </a>`)}
  </nav>`;
}

/** The fragment is taken for places in the app. @param {Event} event */
function focusMain(event) {
  event.preventDefault();
  document.getElementById("main")?.focus();
}

/** @type {import("./state/shortcuts.js").Shortcut[]} */
const GENERAL = [
  { keys: "?", label: "This sheet", group: "Everywhere", run: openHelp },
  { keys: "g", label: "Conversations", group: "Everywhere", run: () => go({ view: "sessions" }) },
  { keys: "p", label: "Projects", group: "Everywhere", run: () => go({ view: "projects" }) },
  { keys: "s", label: "Server", group: "Everywhere", run: () => go({ view: "server" }) },
  { keys: "t", label: "Light, dark, or as the system says", group: "Everywhere", run: () => toast(`Colours: ${turnTheme()}`) },
];
