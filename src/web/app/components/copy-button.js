// Copies a text, and says that it has.

import { tellError, toast } from "../state/toasts.js";
import { html, useEffect, useState } from "../ui.js";
import { Button } from "./button.js";

/** How long the button shows that it is done. */
const DONE_MS = 1_500;

/** @param {{text: () => string, label?: string}} props */
export function CopyButton({ text, label = "Copy" }) {
  const [isDone, setDone] = useState(false);
  useEffect(() => {
    if (!isDone) return undefined;
    const timer = setTimeout(() => setDone(false), DONE_MS);
    return () => clearTimeout(timer);
  }, [isDone]);
  const onClick = () => copy(text()).then(() => setDone(true), tellError);
  return html`<${Button} look="bare" class="copy" icon=${isDone ? "check" : "copy"} label=${isDone ? "Copied" : label} onClick=${onClick} />`;
}

/** Copies and says so beside. @param {string} text */
export function copyAndTell(text) {
  copy(text).then(() => toast("Copied."), tellError);
}

/** @param {string} text */
async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // Pages that came over plain HTTP from another machine have no clipboard of their own.
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "only-heard";
  document.body.append(field);
  field.select();
  const isCopied = document.execCommand("copy");
  field.remove();
  if (!isCopied) throw new Error("This browser does not let the page copy.");
}
