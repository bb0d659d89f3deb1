// Where a person writes both versions together: filled with what the choices come to, sent when no mark is left.

import { Button } from "../components/button.js";
import { CopyButton } from "../components/copy-button.js";
import { Icon } from "../components/icon.js";
import { plural } from "../core/format.js";
import { marksLeft } from "../core/project-merge.js";
import { html, useId, useLayoutEffect, useRef } from "../ui.js";

/** A place has four marks. */
const MARKS_OF_A_PLACE = 4;

/** Rows that are shown at most; a longer text scrolls. */
const MAX_ROWS = 26;

/**
 * @param {{text: string, regions: import("../core/project-merge.js").Region[], isBusy: boolean, isEdited: boolean, mayWrite: boolean,
 *   onText: (text: string) => void, onSend: () => void, onStartOver: () => void, onLeave: () => void}} props
 */
export function MergeEditor({ text, regions, isBusy, isEdited, mayWrite, onText, onSend, onStartOver, onLeave }) {
  /** @type {{current: any}} */
  const area = useRef(null);
  const id = useId();
  const marks = marksLeft(text, regions);
  const places = Math.ceil(marks.length / MARKS_OF_A_PLACE);
  useLayoutEffect(() => {
    area.current.focus({ preventScroll: true });
    area.current.closest("section").scrollIntoView({ block: "nearest" });
  }, []);
  const showNext = () => {
    const { current } = area;
    const at = marks.find((mark) => mark > current.selectionStart) ?? marks[0];
    const end = text.indexOf("\n", at);
    current.focus();
    current.setSelectionRange(at, end < 0 ? text.length : end);
    // A selection alone does not scroll everywhere.
    const line = text.slice(0, at).split("\n").length - 1;
    current.scrollTop = Math.max(line - 3, 0) * (current.scrollHeight / text.split("\n").length);
  };
  return html`<section class="merge" aria-labelledby=${id}>
    <div class="merge-head">
      <h2 id=${id}>Written together</h2>
      ${isEdited && html`<${Button} look="bare" icon="history" onClick=${onStartOver}>Start over<//>`}
    </div>
    <textarea ref=${area} class="input is-code merge-text" aria-labelledby=${id} wrap="off" spellcheck=${false} autocapitalize="off" autocomplete="off"
      rows=${Math.min(text.split("\n").length + 1, MAX_ROWS)} value=${text} onInput=${(/** @type {any} */ event) => onText(event.target.value)}></textarea>
    <p class=${places > 0 ? "merge-state is-warn-text" : "merge-state is-good-text"} role="status">
      <${Icon} name=${places > 0 ? "triangle-alert" : "circle-check"} size=${16} />
      <span>${places > 0 ? `${plural(places, "place")} still marked: decide above, or write it here.` : "No mark is left: it can be written."}</span>
      ${places > 0 && html`<${Button} look="bare" onClick=${showNext}>Show<//>`}
    </p>
    <div class="merge-foot">
      <${Button} onClick=${onLeave}>Cancel<//>
      <${Button} look="main" icon="check" isBusy=${isBusy} disabled=${!mayWrite} onClick=${() => (marks.length > 0 ? showNext() : onSend())}>Write this<//>
    </div>
  </section>`;
}

/** What somebody wrote when another has decided meanwhile: to be read and copied. @param {{text: string, onLeave: () => void}} props */
export function WrittenInVain({ text, onLeave }) {
  const id = useId();
  return html`<section class="merge" aria-labelledby=${id}>
    <div class="merge-head"><h2 id=${id}>What you wrote</h2><${CopyButton} text=${() => text} label="Copy what you wrote" /></div>
    <p class="quiet">It is not in the file: the conflict was settled before. Copy it if you need it.</p>
    <textarea class="input is-code merge-text" aria-labelledby=${id} wrap="off" readonly rows=${Math.min(text.split("\n").length + 1, MAX_ROWS)} value=${text}></textarea>
    <div class="merge-foot"><${Button} onClick=${onLeave}>Let it go<//></div>
  </section>`;
}
