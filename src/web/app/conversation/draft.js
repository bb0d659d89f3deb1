// The draft of this device, which follows the person to others, and theirs, which can be gone on with here.

import { Button } from "../components/button.js";
import { Icon } from "../components/icon.js";
import { canShare, draftKey, draftOf, draftsOfOthers, restored, takenOver } from "../core/drafts.js";
import { nameOf } from "../state/connection.js";
import { deviceId } from "../state/identity.js";
import { keep, kept as keptHere } from "../state/store.js";
import { tellError } from "../state/toasts.js";
import { html, useEffect, useRef } from "../ui.js";

/** A draft is written down when somebody pauses: every time is an event that is kept for ever. */
const DRAFT_AFTER_MS = 1_200;

/** @typedef {import("../state/conversation.js").OpenConversation} OpenConversation */
/** @typedef {import("../../vendor/signals/signals.js").Signal<string>} Text */
/** @typedef {ReturnType<typeof useDraft>} Draft */

/**
 * Keeps the own draft in the shared state, and takes over what another device puts there.
 *
 * @param {import("../../client.js").Client} client
 * @param {string} sessionId
 * @param {OpenConversation} conversation
 * @param {Text} text
 */
export function useDraft(client, sessionId, conversation, text) {
  const name = `draft.${sessionId}`;
  const kept = useRef({ told: "", timer: 0, isRestored: false });
  const tell = () => {
    clearTimeout(kept.current.timer);
    const now = text.peek().trim() ? text.peek() : "";
    const isShared = now !== kept.current.told && canShare(now);
    if (isShared) kept.current.told = now;
    keep(name, now ? { text: now, told: kept.current.told } : undefined);
    if (!isShared) return;
    client.setState(sessionId, { [draftKey(deviceId())]: now || null }).catch(() => {});
  };
  const theirs = draftOf(conversation.shared.value, deviceId());
  const isKnown = conversation.phase.value === "open";
  useEffect(() => {
    const { text: own = "", told = "" } = keptHere(name) ?? {};
    kept.current.told = told;
    if (!text.peek()) text.value = own;
  }, []);
  useEffect(() => {
    if (isKnown && !kept.current.isRestored) {
      kept.current.isRestored = true;
      text.value = restored(text.peek(), kept.current.told, theirs);
      kept.current.told = theirs;
      return;
    }
    // A draft of an earlier visit, of another window, or one that was handed over; what is being written goes first.
    if (!isKnown || theirs === kept.current.told) return;
    const isUntouched = text.peek().trim() === kept.current.told.trim();
    kept.current.told = theirs;
    if (isUntouched) text.value = theirs;
  }, [theirs, isKnown]);
  useEffect(() => {
    const onHide = () => document.visibilityState === "hidden" && tell();
    document.addEventListener("visibilitychange", onHide);
    return () => {
      document.removeEventListener("visibilitychange", onHide);
      tell();
    };
  }, []);
  return {
    changed: () => {
      clearTimeout(kept.current.timer);
      kept.current.timer = setTimeout(tell, DRAFT_AFTER_MS);
    },
    now: tell,
    sent: tell,
    /** Somebody else's draft is ours now. @param {string} taken @param {Record<string, any>} patch */
    take: (taken, patch) => {
      kept.current.told = taken;
      client.setState(sessionId, patch).catch(tellError);
    },
  };
}

/**
 * What the person was about to say on other devices.
 *
 * @param {{conversation: OpenConversation, text: Text, draft: Draft}} props
 */
export function OtherDrafts({ conversation, text, draft }) {
  const others = draftsOfOthers(conversation.shared.value, deviceId());
  return others.map((other) => {
    const onClick = () => {
      const taken = takenOver(text.peek(), deviceId(), other);
      text.value = taken.text;
      draft.take(taken.text, taken.patch);
      document.getElementById("composer")?.focus();
    };
    return html`<div key=${other.deviceId} class="other-draft">
      <${Icon} name="pencil" size=${14} />
      <p><span class="quiet">Draft on ${nameOf(other.deviceId)}</span><span>${other.text}</span></p>
      <${Button} onClick=${onClick}>Go on here<//>
    </div>`;
  });
}
