// <photo-grid>: hits in justified rows. Only what is near the screen is in the document, however many there are.

import { thumbnailFor } from "./api.js";
import { rowHeight, Rows } from "./layout.js";
import { tile } from "./tile.js";

const GAP = 6;
const FIRST = -2; // photo
const FIRST_ROW = -1;
const SCREEN = 0;
const AHEAD = 1.5; // screens that are drawn beyond the edges
const SOON = 120; // milliseconds that the first photo's row waits for it
const LATER = 300; // and all the others
const FETCH = 4; // screens left below when the next page is fetched
const HEADING = 56;
const KEYS = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };

class PhotoGrid extends HTMLElement {
  #results = null;
  #rows = null;
  #tiles = new Map(); // place -> element
  #laid = 0;
  #reach = FIRST; // how far it is drawn; grows to AHEAD
  #active = 0;
  #marks = { liked: [], disliked: [] };
  #divided = false;
  #changed = () => this.#update();
  #wanted = null; // the hit that had the keyboard when other results came
  #scrolled = () => {
    if (this.#results) this.#results.scroll = scrollY;
    requestAnimationFrame(() => this.#draw());
  };
  #sized = new ResizeObserver(() => this.#resize());

  connectedCallback() {
    this.setAttribute("role", "list");
    this.setAttribute("aria-label", "Photos found");
    addEventListener("scroll", this.#scrolled, { passive: true });
    this.addEventListener("keydown", (event) => this.#key(event));
    this.addEventListener("focusin", (event) => this.#focused(event));
    this.#sized.observe(this);
    if (this.#results) this.#begin();
  }

  disconnectedCallback() {
    removeEventListener("scroll", this.#scrolled);
    this.#sized.disconnect();
    this.results = null;
  }

  /** A `Results`: what it finds is shown, and asked for as it is scrolled to. */
  set results(results) {
    if (results === this.#results) return;
    if (this.#results) {
      this.#results.removeEventListener("change", this.#changed);
      this.#wanted = this.contains(document.activeElement) ? this.#results.hits[this.#active]?.sha256 : null;
    }
    this.#results = results;
    this.#clear();
    if (results && this.isConnected) this.#begin();
  }

  get results() {
    return this.#results;
  }

  /** What was said of hits: `{liked, disliked}`, SHA-256. */
  set marks(marks) {
    this.#marks = marks;
    for (const [place, element] of this.#tiles) element.mark(this.#markOf(this.#results.hits[place]));
  }

  /** How many hits are laid out. */
  get count() {
    return this.#laid;
  }

  /** Put the keyboard on a hit and bring it into view. */
  focusHit(sha256 = null) {
    const hits = this.#results?.hits ?? [];
    const place = sha256 ? hits.findIndex((hit) => hit.sha256 === sha256) : this.#active;
    if (hits.length) this.#focus(Math.max(0, place));
  }

  #begin() {
    const { scroll, hits } = this.#results; // before other scrolling is taken for the user's
    this.#results.addEventListener("change", this.#changed);
    this.#update();
    if (hits.length) scrollTo(0, scroll);
    this.#results.more();
  }

  #clear() {
    for (const element of this.#tiles.values()) element.release();
    this.#tiles.clear();
    this.replaceChildren();
    Object.assign(this.style, { height: "0px" });
    this.ariaBusy = "false";
    this.#rows = null;
    this.#laid = 0;
    this.#reach = FIRST;
    this.#active = 0;
    this.#divided = false;
  }

  #resize() {
    if (!this.#rows || Math.abs(this.#rows.width - this.clientWidth) < 1) return;
    const active = this.#active;
    const focused = this.contains(document.activeElement);
    this.#clear();
    this.#active = active;
    this.#update();
    if (focused) this.#focus(active);
  }

  #update() {
    const { hits, answer } = this.#results;
    if (!hits.length) return; // to be asked for; the page has enough to do until they come
    const narrow = this.clientWidth < 600;
    this.#rows ??= new Rows(this.clientWidth, rowHeight(this.clientWidth), narrow ? 4 : GAP);
    const until = this.#divided || !answer?.calibrated ? -1 : firstUnlikely(hits);
    if (until >= this.#laid && isByMatch(hits)) {
      this.#append(hits.slice(this.#laid, until));
      this.#divide(until);
    }
    this.#append(hits.slice(this.#laid));
    this.#draw();
    this.style.height = `${this.#rows.height}px`; // last: what is drawn asks where things are, which this changes
    if (this.#wanted) {
      this.focusHit(this.#wanted);
      this.#wanted = null;
    }
  }

  #append(hits) {
    this.#rows.append(hits.map((hit) => hit.width / hit.height));
    this.#laid += hits.length;
  }

  /** Say where the photos that probably match end. */
  #divide(place) {
    this.#divided = true;
    const heading = document.createElement("p");
    heading.className = "divide";
    heading.dataset.place = place - 0.5; // between two photos
    heading.setAttribute("role", "listitem");
    heading.textContent = place ? "Less likely from here on" : "The nearest; probably none matches";
    heading.style.transform = `translateY(${this.#rows.heading(HEADING - 8)}px)`;
    this.append(heading);
  }

  #draw() {
    if (!this.#results || !this.#rows) return;
    const reach = this.#laid ? this.#reach : AHEAD;
    this.ariaBusy = String(reach < AHEAD);
    if (reach === FIRST && !this.#tiles.size) this.#stage();
    const top = -this.getBoundingClientRect().top;
    const bottom = reach < SCREEN ? Math.max(top, 0) + HEADING + 1 : top + innerHeight * (1 + reach);
    const [first, until] = this.#rows.within(top - innerHeight * Math.max(reach, 0), bottom);
    const end = reach === FIRST ? Math.min(first + 1, until) : until;
    for (const [place, element] of this.#tiles) {
      const isActive = place === this.#active && element.contains(document.activeElement);
      if ((place < first || place >= end) && !isActive) {
        element.release();
        this.#tiles.delete(place);
      }
    }
    this.#add(first, end);
    if (reach === AHEAD && !this.#results.done && this.#rows.height - top < innerHeight * FETCH) this.#results.more();
  }

  /** Put the places that are not there yet between those that are: they are read aloud in this order. */
  #add(first, end) {
    let next = this.firstElementChild;
    for (let place = first; place < end; place++) {
      if (this.#tiles.has(place)) continue;
      while (next && next.dataset.place < place) next = next.nextElementSibling;
      this.insertBefore(this.#tile(place), next);
    }
  }

  /** What is seen first comes first: a photo does not wait for its row, nor that for the screen, nor this for others. */
  #stage() {
    const rows = this.#rows;
    const widen = (reach) => rows === this.#rows && this.#widen(reach); // they may be others by then
    const instead = setTimeout(widen, SOON, FIRST_ROW);
    const loaded = () => {
      clearTimeout(instead);
      whenPainted(() => {
        widen(FIRST_ROW);
        requestAnimationFrame(() => setTimeout(widen, 0, SCREEN));
      });
    };
    this.addEventListener("load", loaded, { once: true, capture: true });
    setTimeout(widen, LATER, AHEAD);
  }

  #widen(reach) {
    if (reach <= this.#reach) return;
    this.#reach = reach;
    this.#draw();
  }

  #tile(place) {
    const hit = this.#results.hits[place];
    const box = this.#rows.boxes[place];
    const element = tile(hit, thumbnailFor(hit.sha256, Math.max(box.width, box.height)), {
      first: this.#reach < SCREEN,
    });
    element.setAttribute("aria-posinset", place + 1);
    element.setAttribute("aria-setsize", this.#results.done ? this.#results.hits.length : -1);
    Object.assign(element.style, {
      width: `${box.width}px`,
      height: `${box.height}px`,
      transform: `translate(${box.x}px, ${box.y}px)`,
    });
    element.dataset.place = place;
    element.querySelector("a").tabIndex = place === this.#active ? 0 : -1;
    element.mark(this.#markOf(hit));
    this.#tiles.set(place, element);
    return element;
  }

  #markOf(hit) {
    if (this.#marks.liked.includes(hit.sha256)) return "up";
    return this.#marks.disliked.includes(hit.sha256) ? "down" : "";
  }

  #focused(event) {
    const place = Number(event.target.closest(".tile")?.dataset.place ?? this.#active);
    this.#tiles.get(this.#active)?.querySelector("a").setAttribute("tabindex", -1);
    this.#active = place;
    this.#tiles.get(place)?.querySelector("a").setAttribute("tabindex", 0);
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const hit = this.#results?.hits[this.#active];
    if (event.key === "ArrowUp" || event.key === "ArrowDown") {
      const next = this.#rows.beside(this.#active, event.key === "ArrowUp" ? -1 : 1);
      if (next === this.#active && event.key === "ArrowUp") document.querySelector("#q")?.focus();
      else this.#focus(next);
    } else if (event.key in KEYS) {
      this.#focus(Math.min(this.#laid - 1, Math.max(0, this.#active + KEYS[event.key])));
    } else if (hit && (event.key === "u" || event.key === "d")) {
      tell(this, "mark", { hit, grade: event.key === "u" ? 1 : 0 });
    } else if (hit && event.key === "w") {
      tell(this, "explain", { hit });
    } else {
      return;
    }
    event.preventDefault();
  }

  #focus(place) {
    const box = this.#rows.boxes[place];
    if (!box) return;
    const top = this.getBoundingClientRect().top + box.y;
    const bar = document.getElementById("bar").offsetHeight + GAP;
    if (top < bar) scrollBy(0, top - bar);
    else if (top + box.height > innerHeight) scrollBy(0, top + box.height - innerHeight + GAP);
    this.#reach = Math.max(this.#reach, SCREEN); // the hit may be anywhere on it
    this.#draw();
    this.#tiles.get(place)?.querySelector("a").focus({ preventScroll: true });
  }
}

/** Call when what is in the document has been painted: a frame is two behind what the screen shows. */
function whenPainted(call) {
  requestAnimationFrame(() => requestAnimationFrame(() => requestAnimationFrame(call)));
}

/** The place behind the last hit that probably matches; -1 while that may be among those to come. */
function firstUnlikely(hits) {
  const place = hits.findLastIndex((hit) => hit.match === null || hit.match >= 0.5) + 1;
  return place < hits.length ? place : -1;
}

function isByMatch(hits) {
  return hits.every((hit, place) => place === 0 || hit.score <= hits[place - 1].score);
}

function tell(element, type, detail) {
  element.dispatchEvent(new CustomEvent(type, { detail, bubbles: true }));
}

customElements.define("photo-grid", PhotoGrid);
