// Says that there is a newer version of the page, and leaves it to the person when to take it.

import { nextVersion } from "../state/next-version.js";
import { html, useState } from "../ui.js";
import { Button } from "./button.js";
import { Icon } from "./icon.js";

export function NextVersion() {
  const [isBusy, setBusy] = useState(false);
  const apply = nextVersion.value;
  if (apply === null) return null;
  const onClick = () => {
    setBusy(true);
    apply();
  };
  return html`<div class="banner" role="status">
    <${Icon} name="refresh-cw" />
    <p>There is a new version of this page. Messages that you write are kept; finish open forms first.</p>
    <${Button} onClick=${onClick} isBusy=${isBusy}>Reload<//>
  </div>`;
}
