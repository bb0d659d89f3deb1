// Where a person writes: the text, what is attached to it, and the buttons. What is written follows to other devices as a
// draft, and survives a reload.

import { Button } from "../components/button.js";
import { Icon } from "../components/icon.js";
import { Menu } from "../components/menu.js";
import { bytes } from "../core/format.js";
import { attachmentsOf, textOf } from "../core/transcript.js";
import { attach, attachedBefore, letGo } from "../state/attachments.js";
import { connection, countUnsent } from "../state/connection.js";
import { tellError } from "../state/toasts.js";
import { classes, html, useEffect, useLayoutEffect, useRef, useSignal } from "../ui.js";
import { OtherDrafts, useDraft } from "./draft.js";
import { RefusedMessages } from "./refused.js";

/** Said again before the ten seconds are over for which it holds (docs/protocol.md, presence). */
const TYPING_EVERY_MS = 4_000;

/** @typedef {import("../state/attachments.js").Attachment} Attachment */

/**
 * @param {{client: import("../../client.js").Client, sessionId: string, conversation: import("../state/conversation.js").OpenConversation,
 *   onSent: (text: string) => void}} props
 */
export function Composer({ client, sessionId, conversation, onSent }) {
  const text = useSignal("");
  const { attached, addFiles, addBlocks, remove, clear } = useAttached();
  const isDropping = useSignal(false);
  const input = useRef(/** @type {any} */ (null));
  const files = useRef(/** @type {any} */ (null));
  const state = conversation.state.value;
  const isRunning = state?.turn != null;
  const isClosed = state?.status === "closed";

  const draft = useDraft(client, sessionId, conversation, text);
  const typing = useRef(0);
  useGrowing(input, text.value);
  // A keyboard that slides over half of a phone is for whoever asks for it.
  useEffect(() => {
    if (matchMedia("(pointer: fine)").matches) input.current?.focus();
  }, []);

  const onInput = (/** @type {any} */ event) => {
    text.value = event.target.value;
    draft.changed();
    if (Date.now() - typing.current < TYPING_EVERY_MS) return;
    typing.current = Date.now();
    client.activity(sessionId, "typing");
  };
  const ready = attached.value.filter(({ block }) => block);
  const isBringing = attached.value.some(({ block, error }) => !block && !error);
  // What was attached goes along, or is taken away by the person: a message without it says something else.
  const hasFailed = attached.value.some(({ error }) => error);
  const canSend = !isClosed && !isBringing && !hasFailed && (text.value.trim() !== "" || ready.length > 0);

  const send = (/** @type {"queue" | "now"} */ mode) => {
    if (!canSend) return;
    const words = text.value.trim();
    const blocks = ready.map(({ block }) => block);
    const content = blocks.length > 0 ? [...blocks, ...(words ? [{ type: "text", text: words }] : [])] : words;
    // What is refused is not lost: the connection keeps it, and it is shown here (refused.js).
    client.submit(sessionId, content, { mode }).catch(() => {});
    countUnsent();
    clear();
    text.value = "";
    typing.current = 0;
    draft.sent();
    client.activity(sessionId, "viewing");
    onSent(words);
  };
  const writeAgain = (/** @type {any} */ content) => {
    text.value = [text.peek().trimEnd(), textOf(content)].filter(Boolean).join("\n\n");
    addBlocks(attachmentsOf(content));
    draft.changed();
    input.current?.focus();
  };
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Enter" || event.isComposing || event.shiftKey || event.altKey) return;
    const isSending = event.ctrlKey || event.metaKey || matchMedia("(pointer: fine)").matches;
    if (!isSending) return;
    event.preventDefault();
    send(event.ctrlKey || event.metaKey ? "now" : "queue");
  };
  const onPaste = (/** @type {ClipboardEvent} */ event) => {
    const list = [...(event.clipboardData?.files ?? [])];
    if (list.length === 0) return;
    event.preventDefault();
    addFiles(list);
  };
  const onDrop = (/** @type {DragEvent} */ event) => {
    event.preventDefault();
    isDropping.value = false;
    addFiles(event.dataTransfer?.files ?? []);
  };
  const onDrag = (/** @type {DragEvent} */ event) => {
    if (![...(event.dataTransfer?.types ?? [])].includes("Files")) return;
    event.preventDefault();
    isDropping.value = event.type === "dragover";
  };
  const interrupt = () => client.interrupt(sessionId).catch(tellError);

  if (isClosed) {
    return html`<div class="composer"><${RefusedMessages} sessionId=${sessionId} /><p class="quiet composer-closed">
      <${Icon} name="archive" size=${16} />This conversation is closed. Its history stays.</p></div>`;
  }
  return html`<form class=${classes("composer", isDropping.value && "is-dropping")} onSubmit=${(/** @type {Event} */ event) => { event.preventDefault(); send("queue"); }}
    onDragOver=${onDrag} onDragLeave=${onDrag} onDrop=${onDrop}>
    <${RefusedMessages} sessionId=${sessionId} onAgain=${writeAgain} />
    <${OtherDrafts} conversation=${conversation} text=${text} draft=${draft} />
    ${attached.value.length > 0 && html`<ul class="composer-files">
      ${attached.value.map((one) => html`<${AttachedFile} key=${one.id} file=${one} onRemove=${() => remove(one)} />`)}</ul>`}
    <div class="composer-box">
      <${Button} look="bare" icon="paperclip" label="Attach files" onClick=${() => files.current.click()} />
      <input ref=${files} type="file" multiple hidden onChange=${(/** @type {any} */ event) => { addFiles([...event.target.files]); event.target.value = ""; }} />
      <textarea ref=${input} id="composer" rows="1" aria-label="Message" placeholder=${placeholder(isRunning)} value=${text.value}
        onInput=${onInput} onKeyDown=${onKeyDown} onPaste=${onPaste} onBlur=${draft.now}></textarea>
      ${isRunning && !canSend && html`<${Button} class="stop" icon="square" label="Interrupt the agent" onClick=${interrupt} />`}
      ${(!isRunning || canSend) && html`<${Button} type="submit" look="main" class="send" icon="arrow-up" disabled=${!canSend} isBusy=${isBringing}
        label=${isRunning ? "Queue the message" : "Send"} />`}
      ${isRunning && canSend && html`<${Menu} label="More ways to send" icon="chevron-up" place="up" actions=${[
        { label: "Send after this turn", icon: "list", onClick: () => send("queue") },
        { label: "Interrupt and send now", icon: "zap", onClick: () => send("now") },
        { label: "Interrupt the agent", icon: "circle-stop", onClick: interrupt },
      ]} />`}
    </div>
    ${isDropping.value && html`<p class="composer-drop" aria-hidden="true"><${Icon} name="paperclip" />Drop to attach</p>`}
  </form>`;
}

/** @param {boolean} isRunning */
function placeholder(isRunning) {
  if (connection.value.state !== "connected") return "Sent when you are back";
  return isRunning ? "Write what comes next" : "Write a message";
}

/** What goes with the message that is being written. */
function useAttached() {
  const attached = useSignal(/** @type {Attachment[]} */ ([]));
  const clear = () => {
    attached.peek().forEach(letGo);
    attached.value = [];
  };
  const addFiles = (/** @type {Iterable<File>} */ list) => {
    for (const file of list) {
      const begun = attach(file, (ready) => {
        attached.value = attached.peek().map((one) => (one.id === ready.id ? ready : one));
      });
      attached.value = [...attached.peek(), begun];
    }
  };
  const addBlocks = (/** @type {any[]} */ blocks) => {
    attached.value = [...attached.peek(), ...blocks.map(attachedBefore)];
  };
  const remove = (/** @type {Attachment} */ gone) => {
    letGo(gone);
    attached.value = attached.peek().filter((one) => one.id !== gone.id);
  };
  useEffect(() => clear, []);
  return { attached, addFiles, addBlocks, remove, clear };
}

/** @param {{file: Attachment, onRemove: () => void}} props */
function AttachedFile({ file, onRemove }) {
  return html`<li class=${file.error ? "composer-file is-bad" : "composer-file"}>
    ${file.url ? html`<img src=${file.url} alt="" />` : html`<${Icon} name=${file.error ? "circle-alert" : "file-text"} />`}
    <span class="composer-file-words"><span>${file.name}</span>
      <small role=${file.error ? "alert" : undefined}>${attachedWords(file)}</small></span>
    <${Button} look="bare" icon="x" label=${`Remove ${file.name}`} onClick=${onRemove} />
  </li>`;
}

/** @param {Attachment} file */
function attachedWords({ error, block, isWaiting, bytes: size }) {
  if (error) return `${error} Remove it to send.`;
  if (!block) return isWaiting ? "waits for the connection" : "on its way…";
  return size === null ? "attached" : bytes(size);
}

/**
 * The field is as high as its text, up to what CSS allows.
 *
 * @param {{current: any}} input
 * @param {string} text
 */
function useGrowing(input, text) {
  useLayoutEffect(() => {
    const field = input.current;
    if (!field) return;
    field.style.height = "auto";
    field.style.height = `${field.scrollHeight}px`;
  }, [text]);
}
