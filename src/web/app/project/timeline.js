// What has happened in a project: the newest first, what one did in one go together.

import { Button } from "../components/button.js";
import { Icon } from "../components/icon.js";
import { TimeAgo } from "../components/time-ago.js";
import { byDay, timeline } from "../core/project-timeline.js";
import { formatRoute } from "../core/routes.js";
import { MAX_EVENTS } from "../state/project-channel.js";
import { tellError } from "../state/toasts.js";
import { html, useMemo, useState } from "../ui.js";
import { HolderName } from "./holder.js";

/** @typedef {import("../core/project-timeline.js").Filter} Filter */

/** So many things are named; the rest is counted. */
const FEW_THINGS = 4;

/** Entries that are drawn before somebody asks for more: a phone draws that many at once without a pause. */
const PAGE = 60;

/** @type {Array<{value: Filter, label: string}>} */
const FILTERS = [
  { value: "all", label: "All" },
  { value: "files", label: "Files" },
  { value: "locks", label: "Locks" },
  { value: "conflicts", label: "Conflicts" },
];

/** @param {{channel: import("../state/project-channel.js").ProjectChannel, projectPath: string}} props */
export function Timeline({ channel, projectPath }) {
  const [filter, setFilter] = useState(/** @type {Filter} */ ("all"));
  const [count, setCount] = useState(PAGE);
  const events = channel.events.value;
  const entries = useMemo(() => timeline(events, filter), [events, filter]);
  const days = byDay(entries.slice(0, count), dayName);
  const more = async () => {
    setCount(count + PAGE);
    if (count + PAGE > entries.length && channel.hasOlder) await channel.older().catch(tellError);
  };
  return html`<section class="activity" aria-labelledby="activity-heading">
    <div class="activity-head">
      <h2 class="list-heading" id="activity-heading">Activity</h2>
      <div class="chips" role="group" aria-label="Which activity">
        ${FILTERS.map(({ value, label }) => html`<button key=${value} type="button" class="chip" aria-pressed=${filter === value} onClick=${() => setFilter(value)}>${label}</button>`)}
      </div>
    </div>
    ${entries.length === 0
      ? html`<p class="card is-quiet"><${Icon} name="activity" /><span>${events.length === 0 ? "Nothing has happened here yet." : "Nothing of this sort has happened lately."}</span></p>`
      : days.map(({ day, entries: own }) => html`<section key=${day}>
          <h3 class="day">${day}</h3>
          <ol class="timeline">${own.map((entry) => html`<${Row} key=${entry.key} entry=${entry} projectPath=${projectPath} />`)}</ol>
        </section>`)}
    ${(entries.length > count || channel.hasOlder) && html`<${Button} class="is-wide" isBusy=${channel.isBringingOlder.value} onClick=${more}>Older<//>`}
    ${events.length >= MAX_EVENTS && html`<p class="quiet">What is older is in the journal of the server.</p>`}
  </section>`;
}

/** @param {{entry: import("../core/project-timeline.js").Entry, projectPath: string}} props */
function Row({ entry, projectPath }) {
  return html`<li class="deed">
    <div class="deed-head">
      ${entry.isServer ? html`<span class="holder"><${Icon} name="server" size=${14} /><span>The server</span></span>` : html`<${HolderName} holder=${entry.actor} />`}
      <${TimeAgo} at=${entry.at} />
    </div>
    <ul class="deed-lines">${entry.lines.map((line) => html`<li key=${line.key} class=${`is-${line.tone}`}>
      <${Icon} name=${line.icon} size=${14} />
      <span><${Words} line=${line} projectPath=${projectPath} /></span>
    </li>`)}</ul>
  </li>`;
}

/** @param {{line: import("../core/project-timeline.js").Line, projectPath: string}} props */
function Words({ line, projectPath }) {
  const names = line.things.slice(0, FEW_THINGS);
  const left = line.things.length - names.length;
  const words = html`${line.verb}${names.map((name, place) => html`${place > 0 && ","} <span class="is-code">${name}</span>`)}${left > 0 && ` and ${left} more`}${line.more && html`<span class="quiet"> · ${line.more}</span>`}`;
  if (!line.conflictId) return words;
  return html`<a href=${formatRoute({ view: "project", projectPath, conflictId: line.conflictId })}>${words}</a>`;
}

/** @param {string} at */
function dayName(at) {
  const day = new Date(at).toDateString();
  if (day === new Date().toDateString()) return "Today";
  if (day === new Date(Date.now() - 86_400_000).toDateString()) return "Yesterday";
  return new Date(at).toLocaleDateString(undefined, { weekday: "long", day: "numeric", month: "long" });
}
