// The form for the token: at the first visit without a link, and when the token is wrong.

import { Button } from "../components/button.js";
import { Icon } from "../components/icon.js";
import { beginAgain, connection } from "../state/connection.js";
import { html, useState } from "../ui.js";

export function TokenForm() {
  const [isBusy, setBusy] = useState(false);
  const now = connection.value;
  const isWrong = now.state === "closed";
  const onSubmit = async (/** @type {any} */ event) => {
    event.preventDefault();
    const text = new FormData(event.target).get("token");
    if (!text) return;
    setBusy(true);
    await beginAgain(String(text).trim());
    setBusy(false);
  };
  return html`<main class="welcome">
    <form class="welcome-card" onSubmit=${onSubmit}>
      <img src="icon.svg" alt="" width="56" height="56" />
      <h1>Tandem</h1>
      <p class="lead">One Claude Code conversation, every device.</p>
      ${isWrong && html`<p class="note is-bad" role="alert"><${Icon} name="circle-alert" />
        <span>The server does not take this token. It may have been replaced since.</span></p>`}
      <label class="field"><span>Token of the server</span>
        <input class="input" name="token" type="password" autocomplete="current-password" spellcheck=${false} required data-first /></label>
      <${Button} type="submit" look="main" isBusy=${isBusy} class="is-wide">Connect<//>
      <details class="hint">
        <summary>Where is the token?</summary>
        <p>On the machine of the server, <code>tandem token</code> prints it. The link that <code>tandem serve</code> prints
          carries it: open that, or scan its code with a phone, and nothing needs to be typed.</p>
      </details>
    </form>
  </main>`;
}
