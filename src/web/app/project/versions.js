// Brings the versions of a conflict: what both began from, what is there, what was wanted, and the file as it is now.

import { isOfFile } from "../core/project-conflicts.js";
import { regionsOf } from "../core/project-merge.js";
import { api, blob } from "../state/api.js";

/** @typedef {import("../core/project-state.js").Conflict} Conflict */

/** Larger versions are not merged by the server either. */
const MAX_BYTES = 4 << 20;

/**
 * `hash`: of what was there when they were brought. `regions`: none where the versions are no text, too large, or no longer
 * kept. `ours`: what is there; none where it was not read, and then nothing can be written over it by hand. `hasChanged`:
 * the file is not what the record says is there.
 *
 * @typedef {{hash: string | undefined, regions: import("../core/project-merge.js").Region[] | null, ours: string | null,
 *   hasChanged: boolean}} Versions
 */

/**
 * @param {Conflict} conflict
 * @returns {Promise<Versions>}
 * @throws {import("../../client/errors.js").TandemError} when one of them could not be brought this time
 */
export async function bringVersions(conflict) {
  const { base, ours, theirs, projectPath, subject, resolution } = conflict;
  if (!isOfFile(conflict)) return { hash: ours.hash, regions: null, ours: null, hasChanged: false };
  const [before, there, wanted, now] = await Promise.all([
    textOf(base), textOf(ours.hash), textOf(theirs.hash), resolution ? undefined : hashNow(projectPath, subject),
  ]);
  // Without a version that was wanted, there is nothing to compare.
  const isKnown = there !== null && wanted !== null && theirs.hash !== undefined;
  return {
    hash: ours.hash,
    regions: isKnown ? regionsOf({ base: before ?? "", ours: there, theirs: wanted }) : null,
    ours: there,
    hasChanged: now !== undefined && now !== (ours.hash ?? null),
  };
}

/**
 * @param {string | undefined} hash
 * @returns {Promise<string | null>} empty without a hash, because there is no file then; null where it is not kept, or no text
 */
async function textOf(hash) {
  if (hash === undefined) return "";
  const bytes = await blob(hash).catch((error) => {
    if (error.code === "not_found") return null;
    throw error;
  });
  if (bytes === null || bytes.size > MAX_BYTES) return null;
  const words = await bytes.arrayBuffer();
  try {
    // A mark of the byte order is part of the file.
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(words);
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
