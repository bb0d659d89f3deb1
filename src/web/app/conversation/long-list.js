// A long list of which only the part in view is drawn. What a person reads stays where it is, whatever comes, goes or grows
// around it; whoever is at the end stays at the end.

import { Heights, isAtEndAfter, NEAR_END } from "../core/window.js";
import { Component, html } from "../ui.js";

/** Drawn above and below what is in view, in pixels: a flick of a thumb. */
const OVERSCAN = 900;

/** From here on, in pixels, more of the beginning is asked for. */
const NEAR_START = 1_200;

/**
 * @typedef {object} Props
 * @property {Array<{key: string}>} items
 * @property {(item: any) => any} draw
 * @property {(item: any) => number} guess the height of an item that was never drawn
 * @property {any} [before] stands above the items
 * @property {any} [after] stands below them
 * @property {string} label
 * @property {{current: LongList | null}} [control] is given the list itself; the library hands `ref` to elements alone
 * @property {() => void} [onNearStart]
 * @property {(isAtEnd: boolean) => void} [onMoved]
 */

/** See the module. */
export class LongList extends Component {
  /** @type {any} */
  #scroller = null;
  /** @type {any} */
  #body = null;
  /** @type {Heights} */
  #heights;
  /** @type {Array<{key: string}> | null} */
  #items = null;
  #range = { start: 0, end: 0 };
  #isAtEnd = true;
  /** What was told last: whether the person sees the end. */
  #wasThere = true;
  /** Where the person was when last looked. */
  #top = 0;
  /** What is in view at the top: an item, and how far below the upper edge it begins. @type {{key: string, below: number} | null} */
  #anchor = null;
  /** @type {ResizeObserver} */
  #observer;
  /** @type {Set<Element>} */
  #observed = new Set();

  /** @param {any} props */
  constructor(props) {
    super(props);
    this.#heights = new Heights((place) => /** @type {any} */ (this.props).guess(/** @type {any} */ (this.props).items[place]));
    this.#observer = new ResizeObserver(() => this.#settle());
  }

  componentDidMount() {
    const { control } = /** @type {any} */ (this.props);
    if (control) control.current = this;
    this.#observer.observe(this.#scroller);
    this.#observer.observe(this.#body);
    this.#settle();
  }

  componentDidUpdate() {
    this.#settle();
  }

  componentWillUnmount() {
    this.#observer.disconnect();
  }

  /** Goes to the newest. */
  toEnd() {
    this.#isAtEnd = true;
    this.#anchor = null;
    this.forceUpdate();
    this.#tellMoved();
  }

  render(/** @type {any} */ props) {
    const { items, draw, before, after, label } = /** @type {Props} */ (props);
    if (items !== this.#items) this.#heights.set(items.map(({ key }) => key));
    this.#items = items;
    this.#range = this.#wanted();
    const { start, end } = this.#range;
    const shown = items.slice(start, end);
    const topStyle = { height: `${this.#heights.topOf(start)}px` };
    const endStyle = { height: `${this.#heights.total - this.#heights.topOf(end)}px` };
    return html`<div class="long-list" ref=${(/** @type {any} */ element) => (this.#scroller = element)} onScroll=${() => this.#scrolled()}
      onClick=${(/** @type {any} */ event) => this.#touched(event.target)} role="region" aria-label=${label} tabindex="0">
      <div class="long-list-body" ref=${(/** @type {any} */ element) => (this.#body = element)}>
        ${before && start === 0 && html`<div class="long-list-before">${before}</div>`}
        <div style=${topStyle}></div>
        ${shown.map((item) => html`<div key=${item.key} class="long-list-item" data-key=${item.key}>${draw(item)}</div>`)}
        <div style=${endStyle}></div>
        ${after}
      </div>
    </div>`;
  }

  /** Which items are to be drawn for where the person is. */
  #wanted() {
    const height = this.#scroller?.clientHeight || innerHeight;
    const heights = this.#heights;
    let top = heights.total - height;
    if (!this.#isAtEnd && this.#anchor) {
      const place = heights.placeOf(this.#anchor.key);
      top = place === undefined ? (this.#scroller?.scrollTop ?? 0) : heights.topOf(place) - this.#anchor.below;
    }
    return heights.between(top - OVERSCAN, top + height + OVERSCAN);
  }

  /** Measures what was drawn, puts the person back to where they were, and draws more where that is needed. */
  #settle() {
    const scroller = this.#scroller;
    if (!scroller || scroller.clientHeight === 0) return;
    let isNews = false;
    const drawn = new Set();
    for (const element of this.#body.querySelectorAll(":scope > .long-list-item")) {
      drawn.add(element);
      isNews = this.#heights.measured(element.dataset.key, element.offsetHeight) || isNews;
      if (!this.#observed.has(element)) this.#observer.observe(element);
    }
    for (const element of this.#observed) if (!drawn.has(element)) this.#observer.unobserve(element);
    this.#observed = drawn;
    if (this.#isAtEnd) scroller.scrollTop = scroller.scrollHeight;
    else this.#holdAnchor();
    this.#top = scroller.scrollTop;
    const wanted = this.#wanted();
    if (isNews || wanted.start !== this.#range.start || wanted.end !== this.#range.end) this.forceUpdate();
    this.#tellMoved();
    this.#askForMore();
  }

  /** How much is below what is in view, in pixels. */
  #left() {
    const { scrollHeight, scrollTop, clientHeight } = this.#scroller;
    return scrollHeight - scrollTop - clientHeight;
  }

  #tellMoved() {
    const isThere = this.#isAtEnd || this.#left() < NEAR_END;
    if (isThere === this.#wasThere) return;
    this.#wasThere = isThere;
    /** @type {any} */ (this.props).onMoved?.(isThere);
  }

  #holdAnchor() {
    const element = this.#anchor && this.#elementOf(this.#anchor.key);
    if (!element) return;
    const off = this.#belowEdge(element) - /** @type {any} */ (this.#anchor).below;
    if (Math.abs(off) >= 1) this.#scroller.scrollTop += off;
  }

  #scrolled() {
    const scroller = this.#scroller;
    // The event of a list that has just been left.
    if (!scroller) return;
    this.#isAtEnd = isAtEndAfter(this.#isAtEnd, scroller.scrollTop - this.#top, this.#left());
    this.#top = scroller.scrollTop;
    this.#anchor = this.#anchorNow();
    const { start, end } = this.#wanted();
    if (start !== this.#range.start || end !== this.#range.end) this.forceUpdate();
    this.#tellMoved();
    this.#askForMore();
  }

  /** What somebody opens stays under their finger, also at the end. @param {Element} target */
  #touched(target) {
    const element = /** @type {any} */ (target.closest("summary, button") && target.closest(".long-list-item"));
    if (!element) return;
    this.#isAtEnd = false;
    this.#anchor = { key: element.dataset.key, below: this.#belowEdge(element) };
  }

  /** The first item that can be seen. */
  #anchorNow() {
    for (const element of this.#body.querySelectorAll(":scope > .long-list-item")) {
      const below = this.#belowEdge(element);
      if (below + element.offsetHeight > 0) {
        if (below > this.#scroller.clientHeight) break;
        return { key: element.dataset.key, below };
      }
    }
    // Somebody has drawn the scroll bar far: nothing there is drawn yet.
    const top = this.#scroller.scrollTop;
    const place = this.#heights.placeAt(top);
    const key = this.#heights.keyAt(place);
    return key === undefined ? null : { key, below: this.#heights.topOf(place) - top };
  }

  #askForMore() {
    if (!this.#isAtEnd || this.#scroller.scrollHeight <= this.#scroller.clientHeight + NEAR_START) {
      if (this.#scroller.scrollTop < NEAR_START) /** @type {any} */ (this.props).onNearStart?.();
    }
  }

  /** @param {any} element */
  #belowEdge(element) {
    return element.getBoundingClientRect().top - this.#scroller.getBoundingClientRect().top;
  }

  /** @param {string} key */
  #elementOf(key) {
    for (const element of this.#observed) if (/** @type {any} */ (element).dataset.key === key) return element;
    return null;
  }
}
