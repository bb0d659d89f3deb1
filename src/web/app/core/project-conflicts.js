// Conflicts in words: what sort one is, what happened, and what a person can decide. Pure.

/** @typedef {import("./project-state.js").Conflict} Conflict */

/** @type {Record<Conflict["conflictType"], {word: string, icon: string}>} */
const KINDS = {
  file_edit: { word: "Two changed this file", icon: "file-diff" },
  git_merge: { word: "Two histories do not merge", icon: "git-merge" },
  context_switch: { word: "Another branch came in between", icon: "git-branch" },
  resource_lock: { word: "A lock was not given", icon: "lock" },
  state_divergence: { word: "The file is not what was written", icon: "file-diff" },
};

/** @type {Record<string, string>} */
const RESOLUTIONS = {
  ours: "What is there stayed",
  theirs: "The other version was taken",
  merged: "Both were written together",
  waited: "It settled itself",
};

/** What sort of conflict it is. @param {Conflict} conflict */
export function kindOf({ conflictType }) {
  return KINDS[conflictType] ?? { word: "Two are in each other's way", icon: "triangle-alert" };
}

/** How it was settled. @param {string | undefined} resolution */
export function resolutionWord(resolution) {
  return RESOLUTIONS[resolution ?? ""] ?? "It is settled";
}

/** What is said of one that was settled when it was found. @param {Conflict} conflict */
export function decisionless({ conflictType }) {
  return conflictType === "resource_lock" ? "wanted in vain" : "was in conflict over";
}

/** Whether it is about the content of a file, which a person can decide. @param {Conflict} conflict */
export function isOfFile({ conflictType }) {
  return conflictType === "file_edit" || conflictType === "state_divergence";
}

/**
 * What a person can decide. Of what is no file, only a word that it may rest; `why` says what else is to be done.
 *
 * @param {Conflict} conflict
 * @returns {{ours: string, theirs: boolean, merged: boolean, why: string}}
 */
export function decisions(conflict) {
  if (isOfFile(conflict)) return { ours: "Keep what is there", theirs: conflict.theirs.hash !== undefined, merged: true, why: "" };
  const ours = "Leave it as it is";
  if (conflict.conflictType === "git_merge") {
    const why = "Histories are merged in the repository: merge them by hand and commit, then ask for the same operation again.";
    return { ours, theirs: false, merged: false, why };
  }
  const why = conflict.conflictType === "context_switch"
    ? "It settles itself when the conversation has read its files again."
    : "There is nothing to write: whoever has the lock can be asked for it, or it is taken away.";
  return { ours, theirs: false, merged: false, why };
}

/**
 * The marked places of a record, as lines of what is there, of what was to be there, and around them.
 *
 * @param {string} hunks
 * @returns {Array<{side: "around" | "ours" | "base" | "theirs" | "mark", text: string}>}
 */
export function hunkLines(hunks) {
  /** @type {"around" | "ours" | "base" | "theirs"} */
  let side = "around";
  const lines = hunks.replace(/\n$/, "").split("\n");
  return lines.map((text) => {
    const mark = /^([<|=>])\1{6,}(?: |$)/.exec(text)?.[1];
    if (!mark || (mark === "=" && side === "around")) return { side, text };
    side = mark === "<" ? "ours" : mark === "|" ? "base" : mark === "=" ? "theirs" : "around";
    return { side: "mark", text };
  });
}
