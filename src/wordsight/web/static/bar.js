// The bar at the top: the search box with its suggestions, and the ways to the other pages.

import { get, post, upload } from "./api.js";
import { go } from "./address.js";
import { icon } from "./icons.js";
import { expanded, shown } from "./query.js";
import { attempt, paused } from "./ui.js";
import { html, nothing, render } from "./vendor/lit-html.js";

const bar = document.getElementById("bar");
const PAGES = { "/": "Search", "/library": "Library", "/reports": "Reports" };
const KINDS = { recent: "clock", labels: "tag", saved: "star" };

let page = "/";
let state = null;
let drawnFor = null;
let suggestions = []; // {kind, text}
let chosen = -1;
let open = false;
let wanted = false; // nobody wants suggestions after Enter or Escape

/** Draw the bar for a page; the box says what the address asks for. */
export function renderBar(path, current) {
  page = path;
  state = current;
  draw();
  if (drawnFor !== state.q) input().value = shown(state.q);
  drawnFor = state.q;
}

const input = () => bar.querySelector("#q");

function draw() {
  render(
    html`<a class="brand" href="/" aria-label="wordsight, all photos"><img src="/static/icon.svg" alt="" width="28" height="28"><span>wordsight</span></a>
      <form class="box" role="search" @submit=${submit} @focusout=${left}>
        ${icon("search")}
        <input id="q" type="search" autocomplete="off" spellcheck="false" enterkeyhint="search" maxlength="4000"
          placeholder="Describe a photo" aria-label="Describe a photo" role="combobox" aria-autocomplete="list"
          aria-controls="suggestions" aria-expanded=${open} aria-keyshortcuts="/"
          aria-activedescendant=${chosen >= 0 ? `suggestion-${chosen}` : nothing}
          @focus=${() => want(false)} @input=${() => want(true)} @keydown=${key}>
        <kbd aria-hidden="true">/</kbd>
        <label class="tool" title="Search by a picture: choose, drop or paste one">
          ${icon("picture")}<span class="unseen">Search by a picture</span>
          <input type="file" class="unseen" accept="image/*" @change=${chosePicture}>
        </label>
        <ul id="suggestions" role="listbox" aria-label="Suggestions" ?hidden=${!open}>
          ${suggestions.map(suggestion)}
        </ul>
      </form>
      <nav aria-label="Pages">
        ${Object.entries(PAGES).map(
          ([path, title]) => html`<a href=${path} aria-current=${path === page ? "page" : nothing}>${title}</a>`,
        )}
      </nav>`,
    bar,
  );
}

function suggestion({ kind, text }, place) {
  return html`<li id="suggestion-${place}" role="option" aria-selected=${place === chosen}
    @pointerdown=${(event) => event.preventDefault()} @click=${() => take(text)}>
    ${icon(KINDS[kind])}<span>${shown(text)}</span><small>${kind === "recent" ? nothing : kind === "labels" ? "label" : "saved"}</small></li>`;
}

async function suggest() {
  if (!wanted) return;
  const typed = input().value;
  const prefix = typed === shown(state.q) ? "" : typed; // all, while nothing new was typed
  const found = await get("/api/suggestions", { q: prefix, ...(state.encoder && { encoder: state.encoder }) }).catch(() => null);
  if (!found || !wanted || document.activeElement !== input() || input().value !== typed) return;
  suggestions = [
    ...found.saved.map((text) => ({ kind: "saved", text: text.startsWith("@") ? text : `@${text}` })),
    ...found.recent.map((text) => ({ kind: "recent", text })),
    ...found.labels.map((text) => ({ kind: "labels", text })),
  ].slice(0, 10);
  chosen = -1;
  open = suggestions.length > 0;
  draw();
}

const suggestSoon = paused(suggest, 80);

function want(soon) {
  wanted = true;
  (soon ? suggestSoon : suggest)();
}

function key(event) {
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    if (!open && event.key === "ArrowDown") document.querySelector("photo-grid")?.focusHit();
    if (!open) return;
    const step = event.key === "ArrowDown" ? 1 : -1;
    chosen = ((chosen + 1 + step + suggestions.length + 1) % (suggestions.length + 1)) - 1;
    if (chosen >= 0) input().value = shown(suggestions[chosen].text);
    draw();
    event.preventDefault();
  } else if (event.key === "Escape") {
    if (open) close();
    else document.querySelector("photo-grid")?.focusHit();
    event.preventDefault();
  }
}

function left(event) {
  if (!event.currentTarget.contains(event.relatedTarget)) close();
}

function close() {
  open = wanted = false;
  chosen = -1;
  draw();
}

function submit(event) {
  event.preventDefault();
  take(chosen >= 0 ? suggestions[chosen].text : expanded(input().value.trim(), state.q));
}

/** Search for `q` with the filters as they are; what was said of hits belonged to the question before. */
function take(q) {
  close();
  drawnFor = null;
  if (q) post("/api/recent", { q }).catch(() => {}); // a suggestion less is no trouble
  go({ q, photo: "", why: [], all: "", ...(q === state.q ? {} : { liked: [], disliked: [] }) });
  input().select();
}

async function chosePicture(event) {
  const file = event.target.files[0];
  event.target.value = "";
  if (file) await searchBy(file);
}

/** Send a picture and search by it: `sign` "+" or "-" puts it beside what is asked already. */
export async function searchBy(file, sign = "") {
  const kept = await attempt(() => upload(file));
  if (!kept) return;
  const term = `picture:${kept.sha256}`;
  const before = sign && state.q;
  drawnFor = null;
  go({ q: before ? `${before} ${sign} ${term}` : term, photo: "", why: [], liked: [], disliked: [], all: "" });
}
