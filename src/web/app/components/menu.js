// A button that opens a list of things to do.

import { classes, html, useEffect, useId, useRef, useState } from "../ui.js";
import { Button } from "./button.js";
import { Icon } from "./icon.js";

/**
 * One thing to do; null in a list of them is a line between.
 *
 * @typedef {{label: string, icon?: string, onClick: () => void, isDanger?: boolean, isDisabled?: boolean, isChosen?: boolean}} Action
 */

/**
 * Arrow keys move between the entries, Escape leaves, as in other menus.
 *
 * @param {{label: string, icon?: string, actions: Array<Action | null | false>, place?: "down" | "up", children?: any}} props
 */
export function Menu({ label, icon = "ellipsis", actions, place = "down", children }) {
  const [isOpen, setOpen] = useState(false);
  /** @type {{current: any}} */
  const root = useRef(null);
  const id = useId();

  useEffect(() => {
    if (!isOpen) return undefined;
    root.current.querySelector("[role=menuitem]:not(:disabled)")?.focus();
    const onOutside = (/** @type {any} */ event) => {
      if (!root.current?.contains(event.target)) setOpen(false);
    };
    document.addEventListener("pointerdown", onOutside);
    return () => document.removeEventListener("pointerdown", onOutside);
  }, [isOpen]);

  const leave = () => {
    setOpen(false);
    root.current.querySelector("button").focus();
  };
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    if (!isOpen) return;
    const entries = [...root.current.querySelectorAll("[role=menuitem]:not(:disabled)")];
    const at = entries.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: entries.length - 1 }[event.key];
    if (to !== undefined) entries[(to + entries.length) % entries.length]?.focus();
    else if (event.key === "Escape") leave();
    else if (event.key === "Tab") setOpen(false);
    else return;
    if (event.key !== "Tab") event.preventDefault();
    event.stopPropagation();
  };
  const choose = (/** @type {Action} */ action) => {
    leave();
    action.onClick();
  };
  return html`<div class="menu" ref=${root} onKeyDown=${onKeyDown}>
    <${Button} look="bare" icon=${icon} label=${children ? undefined : label} aria-haspopup="menu" aria-expanded=${isOpen}
      aria-controls=${id} onClick=${() => setOpen(!isOpen)}>${children}<//>
    ${isOpen && html`<div class=${classes("menu-list", place === "up" && "is-up")} id=${id} role="menu" aria-label=${label}>
      ${actions.filter((action) => action !== false).map((action, place) =>
        action === null
          ? html`<hr key=${place} />`
          : html`<button key=${action.label} type="button" role="menuitem" tabindex="-1" disabled=${action.isDisabled}
              class=${classes("menu-entry", action.isDanger && "is-danger")} onClick=${() => choose(action)}>
              ${action.icon && html`<${Icon} name=${action.icon} />`}<span>${action.label}</span>
              ${action.isChosen && html`<${Icon} name="check" />`}
            </button>`)}
    </div>`}
  </div>`;
}
