// Brings the versions of a conflict: what both began from, what is there, what was wanted, and the file as it is now.

import { isOfFile } from "../core/project-conflicts.js";
import { endingOf, regionsOf } from "../core/project-merge.js";
import { api, blob } from "../state/api.js";

/** @typedef {import("../core/project-state.js").Conflict} Conflict */

/** Larger versions are not merged by the server either. */
const MAX_BYTES = 4 << 20;

/**
 * `regions`: none where the versions are no text, too large, or no longer kept. `hasChanged`: the file is not what the
 * record says is there.
 *
 * @typedef {{regions: import("../core/project-merge.js").Region[] | null, ending: string, ours: string, hasChanged: boolean}} Versions
 */

/** @param {Conflict} conflict @returns {Promise<Versions>} */
export async function bringVersions(conflict) {
  if (!isOfFile(conflict)) return { regions: null, ending: "\n", ours: "", hasChanged: false };
  const { base, ours, theirs, projectPath, subject, resolution } = conflict;
  const [before, there, wanted, now] = await Promise.all([
    textOf(base), textOf(ours.hash), textOf(theirs.hash), resolution ? undefined : hashNow(projectPath, subject),
  ]);
  // Without a file, what is there is nothing; without a version that was wanted, there is nothing to compare.
  const isKnown = there !== null && wanted !== null && theirs.hash !== undefined;
  return {
    regions: isKnown ? regionsOf({ base: before ?? "", ours: there, theirs: wanted }) : null,
    ending: endingOf(there ?? ""),
    ours: there ?? "",
    hasChanged: now !== undefined && now !== (ours.hash ?? null),
  };
}

/** @param {string | undefined} hash @returns {Promise<string | null>} empty without a hash; null where it is not kept as text */
async function textOf(hash) {
  if (hash === undefined) return "";
  try {
    const bytes = await blob(hash);
    if (bytes.size > MAX_BYTES) return null;
    return new TextDecoder("utf-8", { fatal: true }).decode(await bytes.arrayBuffer());
  } catch {
    return null;
  }
}

/**
 * @param {string} project
 * @param {string} path
 * @returns {Promise<string | null | undefined>} null: there is no such file; undefined: it cannot be told
 */
async function hashNow(project, path) {
  try {
    return (await api("GET", "/api/projects/file", { query: { project, path } })).hash;
  } catch (error) {
    return /** @type {any} */ (error).code === "not_found" ? null : undefined;
  }
}
