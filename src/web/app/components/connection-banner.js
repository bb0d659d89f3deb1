// Says when the server cannot be reached, what that means, and what to do.

import { begin, beginAgain, client, connection, signOut, unsent, wasConnected } from "../state/connection.js";
import { plural } from "../core/format.js";
import { toast } from "../state/toasts.js";
import { html, useEffect, useState } from "../ui.js";
import { Button } from "./button.js";
import { Icon } from "./icon.js";

/** Shorter losses of a connection are nobody's concern. */
const QUIET_MS = 1_000;

export function ConnectionBanner() {
  const { state } = connection.value;
  const isAway = state !== "connected" && state !== "none";
  const [isShown, setShown] = useState(false);
  useEffect(() => {
    if (!isAway) {
      if (isShown && wasConnected.value) toast("Connected again.");
      setShown(false);
      return undefined;
    }
    const timer = setTimeout(() => setShown(true), QUIET_MS);
    return () => clearTimeout(timer);
  }, [isAway]);
  if (state === "closed") return html`<${Over} />`;
  if (!isAway || !isShown) return null;
  return html`<div class="banner is-warn" role="status">
    <${Icon} name=${navigator.onLine ? "plug" : "wifi-off"} />
    <p><${Words} /></p>
    <${Button} onClick=${() => client.value?.wake()}>Try now<//>
  </div>`;
}

function Words() {
  const now = connection.value;
  const waits = unsent.value > 0 ? ` ${plural(unsent.value, "message")} will be sent then.` : "";
  if (!navigator.onLine) return html`You are offline. Reading goes on; what you write is sent when you are back.${waits}`;
  if (!wasConnected.value && now.state === "connecting") return html`Connecting to the server…`;
  const why = now.state === "waiting" && /draining|going away|stops|restart|shut/i.test(now.reason) ? "The server restarts." : "The server cannot be reached.";
  const retry = now.state === "waiting" ? html` Next try in <${Countdown} key=${now} ms=${now.retryInMs} />.` : " Trying…";
  return html`${why}${retry}${waits}`;
}

/** @param {{ms: number}} props */
function Countdown({ ms }) {
  const [until] = useState(() => Date.now() + ms);
  const [left, setLeft] = useState(ms);
  useEffect(() => {
    const timer = setInterval(() => setLeft(Math.max(until - Date.now(), 0)), 250);
    return () => clearInterval(timer);
  }, [until]);
  return html`<span aria-hidden="true">${Math.ceil(left / 1_000)} s</span>`;
}

function Over() {
  const now = connection.value;
  if (now.state !== "closed") return null;
  return html`<div class="banner is-bad" role="alert">
    <${Icon} name="circle-alert" />
    <p>The connection is over: ${now.reason}</p>
    <${Button} onClick=${() => void beginAgain()}>Connect again<//>
    <${Button} look="bare" onClick=${() => void signOut().then(begin)}>Enter a token<//>
  </div>`;
}
