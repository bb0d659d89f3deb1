// A button that opens a list of things to do. The list lies in the browser's top layer, so that nothing around it cuts it off.

import { classes, html, useEffect, useId, useLayoutEffect, useRef, useState } from "../ui.js";
import { Button } from "./button.js";
import { Icon } from "./icon.js";

/**
 * One thing to do; null in a list of them is a line between.
 *
 * @typedef {{key?: string, label: string, icon?: string, onClick: () => void, isDanger?: boolean, isDisabled?: boolean, isChosen?: boolean}} Action
 */

/** How far the list stays from the edges of the window, in pixels. */
const EDGE = 8;

/**
 * Arrow keys move between the entries, Escape leaves, as in other menus.
 *
 * @param {{label: string, icon?: string, actions: Array<Action | null | false>, place?: "down" | "up", head?: any, children?: any}} props
 *   `head`: what is to be read above them
 */
export function Menu({ label, icon = "ellipsis", actions, place = "down", head, children }) {
  const [isOpen, setOpen] = useState(false);
  /** @type {{current: any}} */
  const root = useRef(null);
  const id = useId();

  useLayoutEffect(() => {
    if (isOpen) put(root.current.querySelector(".menu-list"), root.current.getBoundingClientRect(), place);
  }, [isOpen]);
  useEffect(() => {
    if (!isOpen) return undefined;
    root.current.querySelector("[role=menuitem]:not(:disabled)")?.focus();
    const onOutside = (/** @type {any} */ event) => {
      if (!root.current?.contains(event.target)) setOpen(false);
    };
    const width = innerWidth;
    const away = () => {
      // A keyboard that slides in or out changes the height alone.
      if (innerWidth !== width) setOpen(false);
      else put(root.current.querySelector(".menu-list"), root.current.getBoundingClientRect(), place);
    };
    document.addEventListener("pointerdown", onOutside);
    addEventListener("resize", away);
    return () => {
      document.removeEventListener("pointerdown", onOutside);
      removeEventListener("resize", away);
    };
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
  const entries = actions.filter((action) => action !== false);
  return html`<div class="menu" ref=${root} onKeyDown=${onKeyDown}>
    <${Button} look="bare" icon=${icon} label=${children ? undefined : label} aria-haspopup="menu" aria-expanded=${isOpen}
      aria-controls=${id} onClick=${() => setOpen(!isOpen)}>${children}<//>
    ${isOpen && html`<div class="menu-list" popover="manual">${head}<div id=${id} role=${entries.length > 0 ? "menu" : "group"} aria-label=${label}>
      ${entries.map((action, place) =>
        action === null
          ? html`<hr key=${place} />`
          : html`<button key=${action.key ?? action.label} type="button" role="menuitem" tabindex="-1" disabled=${action.isDisabled}
              class=${classes("menu-entry", action.isDanger && "is-danger")} onClick=${() => choose(action)}>
              ${action.icon && html`<${Icon} name=${action.icon} />`}<span>${action.label}</span>
              ${action.isChosen && html`<${Icon} name="check" />`}
            </button>`)}
    </div></div>`}
  </div>`;
}

/**
 * Shows the list at its button, within the window.
 *
 * @param {HTMLElement} list
 * @param {DOMRect} button
 * @param {"down" | "up"} place where it goes if there is room
 */
function put(list, button, place) {
  if (!list.matches(":popover-open")) list.showPopover();
  const { offsetWidth: width, offsetHeight: height } = list;
  const below = button.bottom + 4;
  const above = button.top - 4 - height;
  const isAbove = place === "up" ? above >= EDGE : below + height > innerHeight - EDGE;
  const top = isAbove ? above : below;
  list.style.top = `${Math.max(Math.min(top, innerHeight - EDGE - height), EDGE)}px`;
  list.style.left = `${Math.max(Math.min(button.right - width, innerWidth - EDGE - width), EDGE)}px`;
}
