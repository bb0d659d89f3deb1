// The settings of the server as they are in force; they are changed on its machine.

import { Badge } from "../components/badge.js";
import { Loading } from "../components/empty.js";
import { NotFetched, useFetched } from "../components/fetched.js";
import { originWord, sections, valueWord } from "../core/server-settings.js";
import { html } from "../ui.js";

export function Settings() {
  const fetched = useFetched("/api/config");
  /** @type {import("../core/server-settings.js").Setting[] | null} */
  const settings = fetched.answer?.settings ?? null;
  return html`<section aria-labelledby="settings-heading">
    <h2 class="list-heading" id="settings-heading">Settings in force</h2>
    ${settings === null
      ? fetched.problem ? html`<${NotFetched} heading="The settings are not there" fetched=${fetched} />` : html`<${Loading} lines=${3} />`
      : html`<div class="settings">
      ${sections(settings).map(({ section, settings: own }) => html`<details key=${section} class="card setting-section">
        <summary><span class="is-code">${section}</span><span class="quiet">${changedWord(own)}</span></summary>
        <dl>${own.map(({ key, name, value, origin, meaning }) => html`<div key=${key}>
          <dt><span class="is-code">${name}</span> ${originWord(origin) && html`<${Badge}>${originWord(origin)}<//>`}<small>${plain(meaning)}</small></dt>
          <dd class="is-code">${valueWord(value)}</dd>
        </div>`)}</dl>
      </details>`)}
    </div>
    <p class="quiet">They are read when the server starts: from <code>tandem.toml</code>, the environment and flags. <code>tandem config</code> prints them.</p>`}
  </section>`;
}

/** @param {import("../core/server-settings.js").Setting[]} settings */
function changedWord(settings) {
  const set = settings.filter(({ origin }) => origin !== "default").length;
  return set === 0 ? "as they come" : `${set} of ${settings.length} set`;
}

/** The README writes names between backquotes. @param {string} meaning */
function plain(meaning) {
  return meaning.split("`").map((part, place) => (place % 2 ? html`<code key=${place}>${part}</code>` : part));
}
