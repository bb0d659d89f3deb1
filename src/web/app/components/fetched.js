// What a view asks the server for when it opens: asked again when the connection is back, and by whoever does not want to wait.

import { api } from "../state/api.js";
import { isConnected } from "../state/connection.js";
import { html, useEffect, useState } from "../ui.js";
import { Button } from "./button.js";
import { Empty } from "./empty.js";

/** @typedef {{answer: any, problem: Error | null, again: () => void}} Fetched `answer`: the last that came, null before */

/**
 * Asks with GET.
 *
 * @param {string} path
 * @param {any} [version] another one: it is asked anew
 * @returns {Fetched}
 */
export function useFetched(path, version) {
  const [answer, setAnswer] = useState(/** @type {any} */ (null));
  const [problem, setProblem] = useState(/** @type {Error | null} */ (null));
  const [attempt, setAttempt] = useState(0);
  const connected = isConnected.value;
  useEffect(() => {
    let isWanted = true;
    const came = (/** @type {any} */ now) => {
      if (!isWanted) return;
      setAnswer(now);
      setProblem(null);
    };
    api("GET", path).then(came, (error) => isWanted && setProblem(error));
    return () => {
      isWanted = false;
    };
  }, [path, version, connected, attempt]);
  return { answer, problem, again: () => setAttempt(attempt + 1) };
}

/** Stands where there is nothing because it could not be asked for. @param {{heading: string, fetched: Fetched}} props */
export function NotFetched({ heading, fetched: { problem, again } }) {
  return html`<div role="alert"><${Empty} icon="triangle-alert" heading=${heading} actions=${html`<${Button} icon="refresh-cw" onClick=${again}>Look again<//>`}>
    <p>${problem?.message}</p><//></div>`;
}
