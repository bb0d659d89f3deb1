// Two devices in each other's way.

import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";

import { call, projectPath } from "./scenario.mjs";

/**
 * Two devices change the same line of a file; answers with the place of the page that shows it.
 *
 * @param {string} filePath within the project
 * @param {{begin: string, there: string, wanted: string}} versions
 */
export async function conflictOver(filePath, { begin, there, wanted }) {
  const file = path.join(projectPath, filePath);
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, begin);
  const project = encodeURIComponent(projectPath);
  const { hash: baseHash } = await call("GET", `/api/projects/file?project=${project}&path=${encodeURIComponent(filePath)}`);
  const put = (deviceId, content) => call("PUT", "/api/projects/file", { projectPath, filePath, content, baseHash, deviceId });
  assert.equal((await put("laptop", there)).merged, false);
  const { error } = await put("pixel", wanted);
  assert.equal(error.code, "conflict");
  const { conflicts } = await call("GET", `/api/conflicts?project=${project}&status=open`);
  const { conflictId } = conflicts.find(({ subject }) => subject === filePath);
  return { conflictId, place: `/p/${project}/c/${conflictId}` };
}
