// One conflict: what each of the two did, the versions side by side, and the decision.

import { Button } from "../components/button.js";
import { confirmed } from "../components/dialog.js";
import { Empty, Loading } from "../components/empty.js";
import { Icon } from "../components/icon.js";
import { TimeAgo } from "../components/time-ago.js";
import { decisions, hunkLines, isOfFile, kindOf, resolutionWord } from "../core/project-conflicts.js";
import { carriedOver, composed, endedLike, rebased } from "../core/project-merge.js";
import { formatRoute } from "../core/routes.js";
import { api } from "../state/api.js";
import { isConnected, nameOf } from "../state/connection.js";
import { tellError, toast } from "../state/toasts.js";
import { html, useEffect, useRef, useState } from "../ui.js";
import { Compare } from "./compare.js";
import { HolderName } from "./holder.js";
import { MergeEditor, WrittenInVain } from "./merge-editor.js";
import { bringVersions } from "./versions.js";

/** @typedef {import("../core/project-state.js").Conflict} Conflict */
/** @typedef {import("../core/project-merge.js").Choice} Choice */
/** @typedef {import("../core/project-merge.js").Region} Region */

/**
 * @param {{project: import("../core/project-state.js").Project, conflictId: string,
 *   channel: import("../state/project-channel.js").ProjectChannel}} props
 */
export function ConflictPage({ project, conflictId, channel }) {
  /** One that the server tells no more may be open here, with words in it. */
  const last = useRef(/** @type {Conflict | undefined} */ (undefined));
  const known = project.conflicts.get(conflictId);
  const before = last.current?.conflictId === conflictId ? last.current : undefined;
  const conflict = known ?? (before && /** @type {Conflict} */ ({ ...before, resolution: before.resolution ?? "settled" }));
  last.current = conflict;
  useEffect(() => {
    if (conflict) channel.tell({ filePath: conflict.subject, conflictId });
  }, [conflictId]);
  if (!conflict) {
    const back = html`<a class="button" href=${formatRoute({ view: "project", projectPath: project.projectPath })}>To the project</a>`;
    return html`<${Empty} icon="circle-check" heading="This conflict is not there" actions=${back}>
      <p>It was settled long ago, or the link is wrong.</p><//>`;
  }
  return html`<${Conflict} key=${conflictId} conflict=${conflict} />`;
}

/** @param {{conflict: Conflict}} props */
function Conflict({ conflict }) {
  const [versions, setVersions] = useState(/** @type {import("./versions.js").Versions | null} */ (null));
  const [choices, setChoices] = useState(/** @type {Map<number, Choice>} */ (new Map()));
  const [draft, setDraft] = useState(/** @type {string | null} */ (null));
  const [isMerging, setMerging] = useState(false);
  const [busy, setBusy] = useState("");
  const [note, setNote] = useState("");
  const [problem, setProblem] = useState("");
  const [attempt, setAttempt] = useState(0);
  /** What was written could not be put together with what has come since. */
  const [isOver, setOver] = useState(false);
  const { conflictId, resolution, ours, theirs } = conflict;
  const connected = isConnected.value;
  const latest = useRef({ draft, choices, versions });
  latest.current = { draft, choices, versions };
  /** What is written here is written over this. */
  const basis = useRef(/** @type {{hash: string | undefined, ours: string, regions: Region[]} | null} */ (null));

  useEffect(() => {
    let isWanted = true;
    const shown = (/** @type {import("./versions.js").Versions} */ brought) => {
      const before = basis.current;
      const after = brought.ours === null ? null : { hash: brought.hash, ours: brought.ours, regions: brought.regions ?? [] };
      const shownBefore = latest.current.versions;
      if (shownBefore && shownBefore.hash !== brought.hash) {
        const words = latest.current.draft;
        const together = words !== null && before && after ? rebased(words, before, after) : null;
        if (together !== null) setDraft(together);
        setOver(words !== null && together === null);
        setNote(words === null
          ? "The file has changed again. What is there now is shown; look once more, then decide."
          : together === null
            ? "The file has changed again, and what you write cannot be put together with it by itself. Look at what is there now."
            : "The file has changed again. The change was put into what you write; look once more before you write it.");
      }
      setChoices(carriedOver(latest.current.choices, before?.regions ?? [], brought.regions ?? []));
      if (after) basis.current = after;
      setVersions(brought);
      setProblem("");
    };
    bringVersions(conflict).then((brought) => isWanted && shown(brought), (error) => isWanted && setProblem(error.message));
    return () => {
      isWanted = false;
    };
  }, [conflictId, ours.hash, theirs.hash, resolution, attempt]);
  useEffect(() => {
    if (connected && problem) setAttempt(attempt + 1);
  }, [connected]);

  const decide = async (/** @type {"ours" | "theirs" | "merged"} */ wanted, /** @type {string} */ content = "") => {
    setBusy(wanted);
    setNote("");
    try {
      const body = wanted === "merged" ? { resolution: wanted, content } : { resolution: wanted };
      await api("POST", `/api/conflicts/${conflictId}/resolve`, { body });
      setMerging(false);
      setDraft(null);
      setChoices(new Map());
      toast("The conflict is settled.");
    } catch (error) {
      const { code, details, message } = /** @type {any} */ (error);
      if (code === "already_resolved") {
        const by = details?.by?.deviceId;
        setNote(details?.resolution ? `${by ? nameOf(by) : "Somebody"} was faster: ${resolutionWord(details.resolution).toLowerCase()}.` : message);
      } else if (code === "conflict") setNote(message);
      else tellError(error);
    }
    setBusy("");
  };

  const write = async () => {
    if (isOver) {
      const words = "The file has changed since you began to write, and the change is not in what you wrote. It is lost when you write yours over it.";
      if (!(await confirmed({ title: "Write over the change?", text: words, yes: "Write mine", isDanger: true }))) return;
    }
    await decide("merged", endedLike(text, versions?.ours ?? ""));
  };

  const can = decisions(conflict);
  const regions = versions?.regions ?? null;
  const text = draft ?? (regions ? composed(regions, choices) : versions?.ours ?? "");
  const choose = (/** @type {number} */ place, /** @type {Choice} */ choice) => {
    setChoices(new Map(choices).set(place, choice));
    setMerging(true);
  };
  const isEdited = draft !== null || choices.size > 0;
  // Only over what was really read, and is what the record says.
  const isRead = versions !== null && versions.ours !== null;
  const mayWrite = isRead && versions.hash === ours.hash && problem === "" && busy === "";
  return html`<article class="conflict">
    <p class=${`note ${resolution ? "is-good" : "is-bad"}`}><${Icon} name=${resolution ? "circle-check" : kindOf(conflict).icon} />
      <span>${resolution ? html`${resolutionWord(resolution)}${conflict.resolvedBy?.deviceId && html`, decided by ${nameOf(conflict.resolvedBy.deviceId)}`}.` : html`${kindOf(conflict).word}.${can.why && ` ${can.why}`}`}</span></p>
    ${note && html`<p class="note is-warn" role="alert"><${Icon} name="info" /><span>${note}</span></p>`}
    ${versions?.hasChanged && !resolution && html`<p class="note is-warn" role="status"><${Icon} name="info" /><span>The file has changed since this was found. When you decide, you are shown what is there now first.</span></p>`}
    <div class="sides">
      <${SideCard} title="What is there" side=${ours} conflict=${conflict} />
      <${SideCard} title="What was wanted" side=${theirs} conflict=${conflict} />
    </div>
    ${problem && html`<div class="note is-bad" role="alert"><${Icon} name="circle-alert" /><span>The versions could not be loaded. ${problem}</span>
      <${Button} icon="refresh-cw" onClick=${() => setAttempt(attempt + 1)}>Try again<//></div>`}
    ${versions === null
      ? !problem && html`<${Loading} lines=${8} label="Loading the versions" />`
      : regions
        ? html`<${Compare} regions=${regions} choices=${choices} choose=${resolution || draft !== null ? null : choose} />`
        : html`<${Hunks} conflict=${conflict} />`}
    ${!resolution && isMerging && versions && (isRead || draft !== null) && html`<${MergeEditor} text=${text} regions=${regions ?? []} isBusy=${busy === "merged"}
      isEdited=${isEdited} mayWrite=${mayWrite} onText=${setDraft} onSend=${() => void write()}
      onStartOver=${() => {
        setDraft(null);
        setOver(false);
        setChoices(new Map());
      }} onLeave=${() => setMerging(false)} />`}
    ${resolution && isEdited && busy === "" && html`<${WrittenInVain} text=${text} onLeave=${() => {
      setMerging(false);
      setDraft(null);
      setChoices(new Map());
    }} />`}
    ${!resolution && !isMerging && html`<div class="decide" role="group" aria-label="Decide">
      <${Button} icon="check" isBusy=${busy === "ours"} disabled=${busy !== ""} onClick=${() => void decide("ours")}>${can.ours}<//>
      ${can.theirs && html`<${Button} icon="arrow-right-left" isBusy=${busy === "theirs"} disabled=${busy !== ""} onClick=${() => void decide("theirs")}>Take what was wanted<//>`}
      ${can.merged && (isRead || versions === null) && html`<${Button} look="main" icon="pencil" disabled=${busy !== "" || !isRead || versions.hash !== ours.hash} onClick=${() => setMerging(true)}>Write together<//>`}
    </div>`}
  </article>`;
}

/** @param {{title: string, side: import("../core/project-state.js").Side, conflict: Conflict}} props */
function SideCard({ title, side, conflict }) {
  const isBranch = conflict.conflictType === "git_merge";
  return html`<section class="card side-card">
    <h2>${title}</h2>
    ${isBranch
      ? html`<p class="is-code">${side.what}</p>${side.holder && html`<p><${HolderName} holder=${side.holder} /> asked for the merge</p>`}`
      : html`<p>${(side.holder || isOfFile(conflict)) && html`<${HolderName} holder=${side.holder} />`} ${side.what}</p>`}
    <p class="quiet"><${TimeAgo} at=${side.at} />${side.hash && html` · <span class="is-code" title=${side.hash}>${side.hash.slice(0, 8)}</span>`}</p>
  </section>`;
}

/** The places that the server has marked, where the versions themselves cannot be compared. @param {{conflict: Conflict}} props */
function Hunks({ conflict }) {
  if (!conflict.hunks) {
    return isOfFile(conflict) ? html`<p class="card is-quiet"><${Icon} name="file-text" /><span>The versions cannot be shown: they are no text, too large, or no longer kept.</span></p>` : null;
  }
  return html`<pre class="lines hunks" tabindex="0">${hunkLines(conflict.hunks).map(({ side, text }, place) => html`<span key=${place} class=${`is-${side}`}>${text}${"\n"}</span>`)}</pre>`;
}
