// Dialogs: one at a time, over everything else. The browser's own `<dialog>` keeps the focus inside, closes on Escape and
// gives the focus back. Nothing outside of it can be seen or heard while it is open; so it shows what is said meanwhile.

import { html, signal, useEffect, useId, useRef } from "../ui.js";
import { Button } from "./button.js";
import { Toasts } from "./toasts.js";

/** What is open. @type {import("../../vendor/signals/signals.js").Signal<{render: () => any, onClose?: () => void} | null>} */
const current = signal(null);

/**
 * Opens a dialog; `render` makes a {@link Dialog}.
 *
 * @param {() => any} render
 * @param {{onClose?: () => void}} [more]
 */
export function openDialog(render, { onClose } = {}) {
  closeDialog();
  current.value = { render, onClose };
}

export function closeDialog() {
  const open = current.peek();
  current.value = null;
  open?.onClose?.();
}

export function isDialogOpen() {
  return current.peek() !== null;
}

/** Where dialogs are shown, and the short words beside them; once in the page. */
export function DialogHost() {
  const open = current.value;
  return html`${open && html`<${Host} key=${open} render=${open.render} />`}<${Toasts} isElsewhere=${open !== null} />`;
}

/** @param {{render: () => any}} props */
function Host({ render }) {
  return render();
}

/**
 * The frame of a dialog. It is a form: Enter submits, and `onSubmit` is given its fields.
 *
 * @param {{title: string, children: any, footer?: any, onSubmit?: (fields: FormData) => void, isWide?: boolean}} props
 */
export function Dialog({ title, children, footer, onSubmit, isWide = false }) {
  /** @type {{current: any}} */
  const element = useRef(null);
  const id = useId();
  useEffect(() => {
    const dialog = element.current;
    dialog.showModal();
    dialog.querySelector("[data-first]")?.focus();
    return () => dialog.close();
  }, []);
  /** Something was written into it. */
  const isDirty = useRef(false);
  const onPointerDown = (/** @type {any} */ event) => {
    // The backdrop counts as the dialog itself. A finger beside a form takes away nothing that was written in it.
    if (event.target === element.current && !isDirty.current) closeDialog();
  };
  const submitted = (/** @type {any} */ event) => {
    event.preventDefault();
    onSubmit?.(new FormData(event.currentTarget));
  };
  return html`<dialog ref=${element} class=${isWide ? "dialog is-wide" : "dialog"} aria-labelledby=${id} onClose=${closeDialog} onPointerDown=${onPointerDown}>
    <form class="dialog-frame" onSubmit=${submitted} onInput=${() => (isDirty.current = true)}>
      <header class="dialog-head">
        <h2 id=${id}>${title}</h2>
        <${Button} look="bare" icon="x" label="Close" onClick=${closeDialog} />
      </header>
      <div class="dialog-body">${children}</div>
      ${footer && html`<footer class="dialog-foot">${footer}</footer>`}
    </form>
    <${Toasts} />
  </dialog>`;
}

/**
 * Asks yes or no.
 *
 * @param {{title: string, text: string, yes: string, isDanger?: boolean}} question
 * @returns {Promise<boolean>}
 */
export function confirmed({ title, text, yes, isDanger = false }) {
  return new Promise((resolve) => {
    const answer = () => {
      resolve(true);
      closeDialog();
    };
    const footer = html`<${Button} onClick=${closeDialog}>Cancel<//>
      <${Button} type="submit" look=${isDanger ? "danger" : "main"} data-first>${yes}<//>`;
    openDialog(() => html`<${Dialog} title=${title} footer=${footer} onSubmit=${answer}><p>${text}</p><//>`, {
      onClose: () => resolve(false),
    });
  });
}

/**
 * Asks for a line of text.
 *
 * @param {{title: string, label: string, value?: string, yes: string, isRequired?: boolean, maxLength?: number}} question
 * @returns {Promise<string | null>} none when it was left
 */
export function prompted({ title, label, value = "", yes, isRequired = true, maxLength = 200 }) {
  return new Promise((resolve) => {
    const answer = (/** @type {FormData} */ fields) => {
      const text = String(fields.get("answer") ?? "").trim();
      if (isRequired && !text) return;
      resolve(text);
      closeDialog();
    };
    const footer = html`<${Button} onClick=${closeDialog}>Cancel<//><${Button} type="submit" look="main">${yes}<//>`;
    const body = html`<label class="field"><span>${label}</span>
      <input class="input" name="answer" type="text" value=${value} maxlength=${maxLength} autocomplete="off" data-first /></label>`;
    openDialog(() => html`<${Dialog} title=${title} footer=${footer} onSubmit=${answer}>${body}<//>`, {
      onClose: () => resolve(null),
    });
  });
}
