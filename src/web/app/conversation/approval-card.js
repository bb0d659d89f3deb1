// A question of the agent that waits for a person: what it wants to do, and the answers that there are.

import { Button } from "../components/button.js";
import { Icon } from "../components/icon.js";
import { answered, chosen, questionsOf } from "../core/answers.js";
import { describe } from "../core/tools.js";
import { isConnected } from "../state/connection.js";
import { tellError, toast } from "../state/toasts.js";
import { html, useEffect, useLayoutEffect, useRef, useSignal } from "../ui.js";
import { Boundary } from "./boundary.js";
import { ToolInput } from "./tool-input.js";

/** @typedef {import("../core/session-state.js").Approval} Approval */
/** @typedef {import("../core/answers.js").Choice} Choice */
/** @typedef {{client: import("../../client.js").Client, sessionId: string, approval: Approval, project: string}} Props */

/**
 * For so long a card that has just opened, or become the first, takes no answer: it came under a finger that was about to do something else, and
 * nobody reads a request faster.
 */
const UNREAD_MS = 600;

/** All that wait, the oldest first. @param {Omit<Props, "approval"> & {approvals: Approval[]}} props */
export function ApprovalDock({ approvals, ...rest }) {
  /** @type {{current: any}} */
  const root = useRef(null);
  const hasAnswered = useRef(false);
  const hadFocus = hasAnswered.current || root.current?.contains(document.activeElement);
  const first = approvals[0]?.requestId;
  // What was answered goes away with the focus on it: that goes on to the next question, or to where the person writes.
  useLayoutEffect(() => {
    hasAnswered.current = false;
    const isLost = document.activeElement === document.body || document.activeElement === null;
    if (hadFocus && isLost) focusOn(root.current?.querySelector(".approval"));
  }, [first]);
  if (approvals.length === 0) return null;
  const onAnswer = () => (hasAnswered.current = root.current?.contains(document.activeElement));
  return html`<section ref=${root} class="approvals" aria-label="Questions of the agent">
    ${approvals.length > 1 && html`<h2 class="dock-head"><${Icon} name="hand" size=${14} />${approvals.length} questions wait for you</h2>`}
    ${approvals.map((approval, place) => html`<${ApprovalCard} key=${approval.requestId} approval=${approval} isFirst=${place === 0} onAnswer=${onAnswer} ...${rest} />`)}
  </section>`;
}

/** @param {HTMLElement | null | undefined} card */
function focusOn(card) {
  // On a phone the field would bring its keyboard along.
  const otherwise = matchMedia("(pointer: fine)").matches ? "#composer" : ".long-list";
  (card ?? /** @type {HTMLElement | null} */ (document.querySelector(otherwise)))?.focus({ preventScroll: true });
}

/**
 * One question. Only the first is open by itself: several would not leave room for anything else.
 *
 * @param {Props & {isFirst?: boolean, onAnswer?: () => void}} props
 */
export function ApprovalCard({ client, sessionId, approval, project, isFirst = true, onAnswer }) {
  const isOpened = useSignal(false);
  const isBusy = useSignal(false);
  const isRead = useSignal(false);
  const reason = useSignal(/** @type {string | null} */ (null));
  const { tool, input, description, suggestions, requestId } = approval;
  const { icon, title, detail, form } = describe(tool, input, project);

  const isOpen = isFirst || isOpened.value;
  useEffect(() => {
    isRead.value = false;
    if (!isOpen) return undefined;
    const timer = setTimeout(() => (isRead.value = true), UNREAD_MS);
    return () => clearTimeout(timer);
  }, [isOpen, isFirst]);

  const answer = async (/** @type {any} */ verdict) => {
    onAnswer?.();
    isBusy.value = true;
    try {
      await client.approve(sessionId, requestId, verdict);
    } catch (error) {
      isBusy.value = false;
      const { code, details } = /** @type {any} */ (error);
      if (code === "already_resolved") toast(`It was answered before: ${details?.decision ?? "somebody was faster"}.`, { kind: "info" });
      else tellError(error);
    }
  };
  const allow = (/** @type {"once" | "session"} */ scope) => answer({ decision: "allow", scope });
  const deny = () => answer({ decision: "deny", ...(reason.value?.trim() ? { message: reason.value.trim() } : {}) });
  const isOff = isBusy.value || !isConnected.value || !isRead.value;
  // The keys of a conversation press these buttons, so that they answer nothing that a finger could not (keys.js).
  const answers = (/** @type {"once" | "session"} */ scope) => (isFirst ? scope : undefined);
  const canRemember = Array.isArray(suggestions) ? suggestions.length > 0 : Boolean(suggestions);
  const isPlan = form === "plan";
  const shared = { answer, isOff, reason, deny };
  if (!isOpen) {
    return html`<button type="button" class="approval is-folded" aria-expanded="false" onClick=${() => (isOpened.value = true)}>
      <${Icon} name=${icon} /><b>${headline(form, title)}</b><span class="approval-detail">${detail}</span><${Icon} name="chevron-down" size=${16} /></button>`;
  }
  return html`<article class="approval" tabindex="-1" aria-label=${`${title} ${detail}`}>
    <header class="approval-head"><${Icon} name=${icon} />
      <h2>${headline(form, title)}</h2>${detail && form !== "question" && html`<span class="approval-detail">${detail}</span>`}</header>
    ${description && form !== "question" && description !== title && html`<p class="approval-why">${description}</p>`}
    ${form === "question" ? html`<${Choices} input=${input} shared=${shared} />` : html`
      <div class="approval-body"><${Boundary} what=${input}><${ToolInput} name=${tool} input=${input} project=${project} /><//></div>
      ${reason.value === null ? html`<div class="approval-actions">
        <${Button} look="main" icon="check" disabled=${isOff} data-allows=${answers("once")} onClick=${() => allow("once")}>${isPlan ? "Go ahead" : "Allow once"}<//>
        <${Button} icon="x" disabled=${isOff} onClick=${() => (reason.value = "")}>${isPlan ? "Keep planning" : "Deny"}<//>
        ${canRemember && html`<${Button} class="for-session" icon="shield-check" disabled=${isOff} data-allows=${answers("session")} onClick=${() => allow("session")}>
          Allow for the session<//>`}
      </div>` : html`<${Denial} shared=${shared} />`}`}
    ${!isConnected.value && html`<p class="quiet approval-off">It can be answered when the connection is back.</p>`}
  </article>`;
}

/**
 * @param {string} form
 * @param {string} title
 */
function headline(form, title) {
  if (form === "plan") return "The agent has a plan";
  if (form === "question") return "The agent asks";
  return form === "command" ? "Run a command?" : `${title}?`;
}

/** The reason goes to the agent, which goes on with it. @param {{shared: any}} props */
function Denial({ shared: { reason, deny, isOff } }) {
  /** @type {{current: any}} */
  const input = useRef(null);
  useEffect(() => input.current.focus(), []);
  const onSubmit = (/** @type {Event} */ event) => {
    event.preventDefault();
    void deny();
  };
  return html`<form class="denial" onSubmit=${onSubmit}>
    <label class="field"><span>What should the agent do instead? <small>(optional)</small></span>
      <textarea ref=${input} class="input" rows="2" value=${reason.value} onInput=${(/** @type {any} */ event) => (reason.value = event.target.value)}></textarea></label>
    <div class="approval-actions">
      <${Button} type="submit" look="danger" disabled=${isOff}>Deny<//>
      <${Button} onClick=${() => (reason.value = null)}>Back<//>
    </div>
  </form>`;
}

/** @param {{input: any, shared: any}} props */
function Choices({ input, shared: { answer, isOff, reason, deny } }) {
  const questions = questionsOf(input);
  const choices = useSignal(questions.map(() => /** @type {Choice} */ ({ labels: [], other: "" })));
  const set = (/** @type {number} */ place, /** @type {Choice} */ choice) => {
    choices.value = choices.value.map((one, at) => (at === place ? choice : one));
  };
  const updatedInput = answered(input, choices.value);
  const onSubmit = (/** @type {Event} */ event) => {
    event.preventDefault();
    if (updatedInput) void answer({ decision: "allow", updatedInput });
  };
  if (reason.value !== null) return html`<${Denial} shared=${{ reason, deny, isOff }} />`;
  return html`<form class="questions" onSubmit=${onSubmit}>
    ${questions.map((question, place) => html`<fieldset key=${place}>
      <legend>${question.question}</legend>
      ${(question.options ?? []).map(({ label, description }) => {
        const isOn = choices.value[place].labels.includes(label);
        return html`<label key=${label} class="option"><input type=${question.multiSelect ? "checkbox" : "radio"} name=${`question-${place}`} checked=${isOn}
          onChange=${() => set(place, chosen(question, choices.value[place], label))} />
          <span><b>${label}</b>${description && html`<small>${description}</small>`}</span></label>`;
      })}
      <input class="input" type="text" placeholder="Something else" aria-label=${`Another answer to: ${question.question}`} value=${choices.value[place].other}
        onInput=${(/** @type {any} */ event) => set(place, { labels: question.multiSelect ? choices.value[place].labels : [], other: event.target.value })} />
    </fieldset>`)}
    <div class="approval-actions">
      <${Button} type="submit" look="main" icon="check" disabled=${isOff || !updatedInput}>Answer<//>
      <${Button} icon="x" disabled=${isOff} onClick=${() => (reason.value = "")}>Do not answer<//>
    </div>
  </form>`;
}
