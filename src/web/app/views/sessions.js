// The list of conversations: live, searched, filtered.

import { AgentMissing } from "../components/agent-missing.js";
import { Badge } from "../components/badge.js";
import { Button } from "../components/button.js";
import { prompted } from "../components/dialog.js";
import { Empty, Loading } from "../components/empty.js";
import { openHelp } from "../components/help-sheet.js";
import { Icon } from "../components/icon.js";
import { Menu } from "../components/menu.js";
import { openNewSession } from "../components/new-session.js";
import { StatusMark } from "../components/status.js";
import { TimeAgo } from "../components/time-ago.js";
import { baseName, plural } from "../core/format.js";
import { formatRoute } from "../core/routes.js";
import { grouped, titleOf } from "../core/session-list.js";
import { connection, nameOf, sessions, signOut } from "../state/connection.js";
import { ownName, setOwnName } from "../state/identity.js";
import { go, route } from "../state/route.js";
import { notifying, offerNotices, stopNotices } from "../state/notices.js";
import { addShortcuts } from "../state/shortcuts.js";
import { setTheme, theme } from "../state/theme.js";
import { toast } from "../state/toasts.js";
import { classes, computed, html, signal, useEffect, useState } from "../ui.js";

/** @typedef {import("../core/session-list.js").Filter} Filter */
/** @typedef {import("../core/session-list.js").Summary} Summary */

/** @type {import("../../vendor/signals/signals.js").Signal<Filter>} */
const filter = signal("open");
const search = signal("");
const groups = computed(() => grouped(sessions.value?.values() ?? [], { filter: filter.value, search: search.value }));

/** How many of a group are drawn at first, and more of them with each wish; whoever looks for an older one searches. */
const MANY = 100;

/** @type {Array<{value: Filter, label: string}>} */
const FILTERS = [
  { value: "open", label: "Open" },
  { value: "waiting", label: "For you" },
  { value: "running", label: "Running" },
  { value: "closed", label: "Closed" },
];

export function SessionsPane() {
  useEffect(() => addShortcuts(KEYS), []);
  return html`<div class="side-head">
      <a class="brand" href="#/"><img src="icon.svg" alt="" width="24" height="24" /><h1>Tandem</h1></a>
      <span class="grow"></span>
      <${Button} look="main" icon="plus" class="new-session" onClick=${openNewSession}>New<//>
      <${AppMenu} />
    </div>
    <div class="side-search">
      <label class="search"><${Icon} name="search" />
        <span class="only-heard">Search conversations</span>
        <input id="search" class="input" type="search" placeholder="Search" value=${search.value} autocomplete="off"
          onInput=${(/** @type {any} */ event) => (search.value = event.target.value)} /></label>
      <div class="chips" role="group" aria-label="Which conversations">
        ${FILTERS.map(({ value, label }) => html`<button key=${value} type="button" class="chip" aria-pressed=${filter.value === value}
          onClick=${() => (filter.value = value)}>${label}</button>`)}
      </div>
    </div>
    <div class="side-list"><${AgentMissing} /><${List} /></div>`;
}

function List() {
  if (sessions.value === null) {
    if (connection.value.state === "waiting") {
      return html`<${Empty} icon="plug" heading="Not connected"><p>The conversations are shown as soon as the server answers.</p><//>`;
    }
    return connection.value.state === "closed" ? null : html`<${Loading} lines=${6} label="Loading conversations" />`;
  }
  if (groups.value.length > 0) return groups.value.map((group) => html`<${Group} key=${group.key} group=${group} />`);
  if (search.value || filter.value !== "open") {
    const clear = () => {
      search.value = "";
      filter.value = "open";
    };
    return html`<${Empty} icon="search" heading="Nothing fits" actions=${html`<${Button} onClick=${clear}>Show all<//>`} />`;
  }
  const begin = html`<${Button} look="main" icon="plus" onClick=${openNewSession}>New conversation<//>`;
  return html`<${Empty} icon="messages-square" heading="No conversations yet" actions=${begin}>
    <p>Begin one here, and go on with it from any device.</p>
  <//>`;
}

/** @param {{group: import("../core/session-list.js").Group}} props */
function Group({ group }) {
  const [count, setCount] = useState(MANY);
  const now = route.value;
  const openId = now.view === "session" ? now.sessionId : null;
  const { length } = group.sessions;
  return html`<section>
    <h2 class="list-heading">${group.heading}</h2>
    <ul class="rows">${group.sessions.slice(0, count).map((session) => html`<${Row} key=${session.sessionId} session=${session} isOpen=${session.sessionId === openId} />`)}
      ${length > count && html`<li><button type="button" class="row-button" onClick=${() => setCount(count + MANY)}>Show ${Math.min(length - count, MANY)} more</button></li>`}</ul>
  </section>`;
}

/** Drawn anew only when its summary is another: signals see to that. @param {{session: Summary, isOpen: boolean}} props */
function Row({ session, isOpen }) {
  const unread = session.unread ?? 0;
  const here = session.online.map(nameOf);
  return html`<li>
    <a class=${classes("row", unread > 0 && !isOpen && "is-unread")} href=${formatRoute({ view: "session", sessionId: session.sessionId })}
      aria-current=${isOpen ? "page" : undefined}>
      <${StatusMark} status=${session.status} />
      <span class="row-main">
        <span class="row-title">${titleOf(session)}</span>
        <span class="row-more">
          <span class="row-project">${baseName(session.projectPath)}</span>
          ${here.length > 0 && html`<span class="row-here" title=${`Here now: ${here.join(", ")}`}>
            <${Icon} name="users" size=${14} />${here.length}<span class="only-heard"> here now</span></span>`}
          ${session.queued > 0 && html`<span>${session.queued} queued</span>`}
          ${session.isWarned && session.status !== "expired" && html`<span class="is-warn-text">expires soon</span>`}
        </span>
      </span>
      <span class="row-side">
        <${TimeAgo} at=${session.lastActivityAt} />
        <span class="row-badges">
          ${session.approvals > 0 && html`<${Badge} tone="warn" label=${`${plural(session.approvals, "question")} for you`}>
            <${Icon} name="hand" size=${12} />${session.approvals}<//>`}
          ${unread > 0 && !isOpen && html`<${Badge} tone="accent" label=${`${unread} unread`}>${unread > 99 ? "99+" : unread}<//>`}
        </span>
      </span>
    </a>
  </li>`;
}

function AppMenu() {
  const rename = async () => {
    const name = await prompted({ title: "This device", label: "What others see of it", value: ownName(), yes: "Save", isRequired: false, maxLength: 64 });
    if (name === null) return;
    setOwnName(name);
    toast("The new name counts from the next visit on.");
  };
  const colours = /** @type {const} */ ([
    ["system", "Colours of the system", "monitor"],
    ["light", "Light", "sun"],
    ["dark", "Dark", "moon"],
  ]);
  return html`<${Menu} label="More" icon="ellipsis-vertical" actions=${[
    ...colours.map(([value, label, icon]) => ({ label, icon, isChosen: theme.value === value, onClick: () => setTheme(value) })),
    null,
    { label: "Name of this device", icon: "monitor", onClick: rename },
    notifying.value === "impossible" ? false : notifying.value === "on"
      ? { label: "No notifications", icon: "bell-off", onClick: stopNotices }
      : { label: "Notify me of questions", icon: "bell", onClick: () => void offerNotices() },
    { label: "Keyboard", icon: "keyboard", onClick: openHelp },
    null,
    { label: "Sign out", icon: "log-out", onClick: () => void signOut() },
  ]} />`;
}

/** Goes to the conversation above or below the open one. @param {1 | -1} step */
function neighbour(step) {
  const all = groups.value.flatMap((group) => group.sessions);
  if (all.length === 0) return;
  const now = route.value;
  const at = now.view === "session" ? all.findIndex((session) => session.sessionId === now.sessionId) : -1;
  const to = at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + step, 0), all.length - 1);
  go({ view: "session", sessionId: all[to].sessionId });
}

/** @type {import("../state/shortcuts.js").Shortcut[]} */
const KEYS = [
  { keys: "n", label: "New conversation", group: "Conversations", run: openNewSession },
  { keys: "/", label: "Search conversations", group: "Conversations", run: () => document.getElementById("search")?.focus() },
  { keys: "j", label: "Next conversation", group: "Conversations", run: () => neighbour(1) },
  { keys: "k", label: "Previous conversation", group: "Conversations", run: () => neighbour(-1) },
];
