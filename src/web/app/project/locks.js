// What is locked in a project: who holds it since when and until when, who waits, and taking it away.

import { Badge } from "../components/badge.js";
import { Button } from "../components/button.js";
import { confirmed } from "../components/dialog.js";
import { Icon } from "../components/icon.js";
import { TimeAgo } from "../components/time-ago.js";
import { duration } from "../core/format.js";
import { lockedThings, thingName } from "../core/project-state.js";
import { api } from "../state/api.js";
import { client } from "../state/connection.js";
import { tellError, toast } from "../state/toasts.js";
import { html, useEffect, useState } from "../ui.js";
import { HolderName, holderName } from "./holder.js";

/** @typedef {import("../core/project-state.js").Lock} Lock */

/** @type {Record<Lock["lockType"], {icon: string, word: string}>} */
const LOOKS = {
  file: { icon: "file-text", word: "file" },
  git: { icon: "git-branch", word: "branch" },
  project: { icon: "folder", word: "the whole project" },
  database: { icon: "database", word: "database" },
  exclusive: { icon: "server", word: "the whole server" },
};

/** How often the time that is left is counted down. */
const TICK_MS = 1_000;

/** @param {{project: import("../core/project-state.js").Project, channel: import("../state/project-channel.js").ProjectChannel}} props */
export function Locks({ project, channel }) {
  const things = lockedThings(project.locks);
  return html`<section aria-labelledby="locks-heading">
    <h2 class="list-heading" id="locks-heading">Locks</h2>
    ${things.length === 0
      ? html`<p class="card is-quiet"><${Icon} name="lock-open" /><span>Nothing is locked. Conversations lock a file when they are about to change it.</span></p>`
      : html`<ul class="rows is-card">${things.map((thing) => html`<${Thing} key=${thing.key} thing=${thing} project=${project} channel=${channel} />`)}</ul>`}
  </section>`;
}

/**
 * @param {{thing: ReturnType<typeof lockedThings>[number], project: import("../core/project-state.js").Project,
 *   channel: import("../state/project-channel.js").ProjectChannel}} props
 */
function Thing({ thing, project, channel }) {
  const { icon, word } = LOOKS[thing.lockType] ?? { icon: "lock", word: thing.lockType };
  const name = thingName(thing.resourceId, project.projectPath);
  const takeAway = async () => {
    const holders = thing.held.map(({ holder }) => holderName(holder)).join(", ");
    const isSure = await confirmed({
      title: "Take the lock away?",
      text: `${holders} may be in the middle of a change to ${name}. What it writes after this is refused or becomes a conflict. It is recorded that you took it.`,
      yes: "Take it away",
      isDanger: true,
    });
    if (!isSure) return;
    try {
      const { resourceId, lockType, projectPath } = thing.held[0];
      await api("DELETE", "/api/locks", { body: { resourceId, lockType, projectPath, force: true } });
      toast(`The lock of ${name} was taken away.`);
    } catch (error) {
      tellError(error);
      void channel.lookAtLocks();
    }
  };
  return html`<li class="lock">
    <div class="lock-head">
      <${Icon} name=${icon} size=${16} />
      <span class="lock-name"><span class="only-heard">${word} </span><span class="is-code" title=${thing.resourceId}>${name || word}</span></span>
      ${thing.waiting.length > 0 && html`<${Badge} tone="warn" label=${`${thing.waiting.length} wait for it`}><${Icon} name="hourglass" size=${12} />${thing.waiting.length}<//>`}
      ${thing.held.length > 0 && html`<${Button} look="bare" icon="lock-open" label=${`Take the lock of ${name} away`} onClick=${takeAway} />`}
    </div>
    <ul class="lock-people">
      ${thing.held.map((lock) => html`<li key=${`held ${lock.fence}`}>
        <${HolderName} holder=${lock.holder} />
        <span class="lock-more">${lock.mode === "shared" && "shared · "}holds it${lock.since && html` for <${Since} at=${lock.since} />`}${lock.expiresAt && html` · <${Left} until=${lock.expiresAt} />`}</span>
      </li>`)}
      ${thing.waiting.map((lock, place) => html`<li key=${`waits ${place}`} class="is-waiting">
        <${HolderName} holder=${lock.holder} />
        <span class="lock-more">waits, ${place === 0 ? "next" : `number ${place + 1}`}${lock.since && html` · for <${Since} at=${lock.since} />`}</span>
      </li>`)}
    </ul>
  </li>`;
}

/** @param {{at: string}} props */
function Since({ at }) {
  const now = useNow();
  const ms = Math.max(now - Date.parse(at), 0);
  return ms < 60_000 ? html`<time datetime=${at}>${Math.floor(ms / 1_000)} s</time>` : html`<${TimeAgo} at=${at} />`;
}

/** @param {{until: string}} props */
function Left({ until }) {
  const ms = Date.parse(until) - useNow();
  if (ms <= 0) return html`<span>is being renewed</span>`;
  return html`<time datetime=${until} title="Unless it is renewed">${duration(Math.ceil(ms / 1_000) * 1_000).replace(".0 ", " ")} left</time>`;
}

/** The server's time, by which leases end, second by second. */
function useNow() {
  const serverNow = () => client.peek()?.serverNow ?? Date.now();
  const [now, setNow] = useState(serverNow);
  useEffect(() => {
    const timer = setInterval(() => setNow(serverNow()), TICK_MS);
    return () => clearInterval(timer);
  }, []);
  return now;
}
