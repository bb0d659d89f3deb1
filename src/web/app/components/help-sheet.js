// The sheet that says which keys do what.

import { areSingleKeysOn, setSingleKeys, shortcuts } from "../state/shortcuts.js";
import { html } from "../ui.js";
import { Dialog, openDialog } from "./dialog.js";

export function openHelp() {
  openDialog(() => html`<${HelpSheet} />`);
}

function HelpSheet() {
  const groups = new Map();
  for (const shortcut of shortcuts.value) {
    groups.set(shortcut.group, [...(groups.get(shortcut.group) ?? []), shortcut]);
  }
  const onChange = (/** @type {any} */ event) => setSingleKeys(event.target.checked);
  return html`<${Dialog} title="Keyboard" isWide>
    <label class="check"><input type="checkbox" checked=${areSingleKeysOn.value} onChange=${onChange} data-first />
      <span>Single keys do something outside of fields</span></label>
    <div class="keys">
      ${[...groups].map(([group, entries]) => html`<section key=${group}>
        <h3>${group}</h3>
        <dl>${entries.map((/** @type {import("../state/shortcuts.js").Shortcut} */ entry) => html`<div key=${entry.keys}>
          <dt>${entry.keys.split(/(?<=.)\+/).map((key, place) => html`${place > 0 && " + "}<kbd>${key}</kbd>`)}</dt>
          <dd>${entry.label}</dd></div>`)}</dl>
      </section>`)}
    </div>
  <//>`;
}
