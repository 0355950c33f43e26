// One photo, large: what is known of it, the photos before and after, what can be done, and why it was found.

import { changed, go, read, searchOf } from "./address.js";
import { get, thumbnail } from "./api.js";
import { mark } from "./feedback.js";
import * as format from "./format.js";
import { icon } from "./icons.js";
import { firstText } from "./query.js";
import { resultsOf } from "./results.js";
import { loadFolders, within } from "./service.js";
import { announce, attempt, isTyping, toast } from "./ui.js";
import { html, nothing, render } from "./vendor/lit-html.js";
import { marksOnPicture, whyPanel, paint } from "./why.js";
import { Zoom } from "./zoom.js";

const LARGEST = 2.5; // times a photo is enlarged at most

const dialog = document.getElementById("viewer");
let state = null;
let known = null; // what the service tells of the photo: {sha256, width, height, files}
let failed = null;
let at = -1; // the place it was turned to
let sharp = 0; // pixels of the thumbnail that is shown
const zoom = new Zoom(() => dialog.querySelector(".frame"), turn, () => sharpness() !== sharp && draw());
const { wheel, dblclick, pointerdown, pointermove, pointerup, pointercancel } = zoom.listeners;

dialog.addEventListener("cancel", (event) => (event.preventDefault(), close()));
dialog.addEventListener("keydown", key);
new ResizeObserver(fit).observe(dialog);
// Two fingers enlarge the photo, not the page; but a page that they have enlarged elsewhere must let itself be made small.
visualViewport.addEventListener("resize", () => dialog.classList.toggle("enlarged", visualViewport.scale > 1.01));

/** Open a hit; with `why`, with its explanation. */
export function openInViewer(hit, { why = false } = {}) {
  go({ photo: hit.sha256, why: why ? [question()] : [] });
}

/** Show the photo a state names, or none. */
export function showViewer(next) {
  const before = state?.photo;
  state = next;
  if (!state?.photo) return hide(before);
  if (before !== state.photo) zoom.reset();
  if (known?.sha256 !== state.photo) load(state.photo);
  loadFolders(draw);
  draw();
  if (!dialog.open) dialog.showModal();
  if (before !== state.photo) announce(spoken());
}

function hide(before) {
  if (!dialog.open) return;
  dialog.close();
  document.querySelector("photo-grid")?.focusHit(before);
}

/** Go back to where the photo was opened, or, when it has changed what is asked, on to what is asked now. */
function close() {
  const closed = { photo: "", why: [] };
  if (history.state?.from === changed({ ...closed, method: "", opacity: "", threshold: "" })) history.back();
  else go(closed, { replace: true });
}

async function load(sha256) {
  known = failed = null;
  const found = await get(`/api/pictures/${sha256}`).catch((error) => ((failed = error), null));
  if (state?.photo !== sha256) return;
  known = found;
  draw();
}

const hits = () => resultsOf(searchOf(state)).hits;
const hit = () => hits()[place()] ?? null;
const spoken = () => (hit() ? format.spoken(hit()) : "Photo");
/** The match estimate of the question, where it has one part: what explains it need not tell it again. */
const estimate = () => (resultsOf(searchOf(state)).answer?.terms.length === 1 ? hit()?.match ?? null : null);
const question = () => firstText(resultsOf(searchOf(read())).answer?.terms ?? []) || " ";

function draw() {
  if (!state?.photo) return;
  const size = hit() ?? known;
  sharp = sharpness();
  render(
    html`<div class="stage" @click=${(event) => event.target === event.currentTarget && zoom.scale === 1 && close()}
        @wheel=${wheel} @dblclick=${dblclick} @pointerdown=${pointerdown} @pointermove=${pointermove} @pointerup=${pointerup}
        @pointercancel=${pointercancel}>
        ${failed && !hit() ? html`<p class="message">${failed.message}</p>` : nothing}
        <figure class="frame" ?hidden=${!size}>
          <img src=${thumbnail(state.photo, 320)} alt="" draggable="false">
          <img src=${thumbnail(state.photo, sharp)} alt=${size ? nameOf() : ""} draggable="false">
          ${size ? marksOnPicture(state, size, hit()?.region) : nothing}
        </figure>
        ${beside(-1, "left", "Photo before")} ${beside(1, "right", "Next photo")}
      </div>
      <aside>
        <header><h2 tabindex="-1" autofocus>${nameOf()}</h2>
          <button class="tool" aria-label="Close" title="Close (Escape)" @click=${close}>${icon("close")}</button></header>
        ${actions()} ${whyPanel(state, question, estimate(), draw)} ${facts()}
      </aside>`,
    dialog,
  );
  fit();
  paint(state, dialog.querySelector("canvas"), draw);
}

/** Pixels of the thumbnail that suffices. */
const sharpness = () => (innerWidth * devicePixelRatio * zoom.scale > 1600 ? 2560 : 1280);
const path = () => hit()?.path ?? known?.files[0]?.path;
const nameOf = () => (path() ? format.name(path()) : known?.upload ? "The picture you sent" : "Photo");

function beside(step, which, label) {
  if (next(step) < 0) return nothing;
  return html`<button class="turn ${which}" aria-label=${label} @click=${() => turn(step)}>${icon(which)}</button>`;
}

/** The place of another photo before or after this one: copies of it are passed over. -1: there is none. */
function next(step) {
  const list = hits();
  let to = place();
  if (to < 0) return -1;
  while (list[to]?.sha256 === state.photo) to += step;
  return list[to] ? to : -1;
}

/** The place of the photo among the hits: of several copies the one that was turned to. */
function place() {
  const list = hits();
  return list[at]?.sha256 === state.photo ? at : list.findIndex(({ sha256 }) => sha256 === state.photo);
}

function turn(step) {
  const to = next(step);
  if (to < 0) return;
  at = to;
  go({ photo: hits()[to].sha256 }, { replace: true });
  if (to > hits().length - 10) resultsOf(searchOf(state)).more();
}

function actions() {
  const { photo, q } = state;
  const term = `picture:${photo}`;
  const judge = (grade) => mark({ hit: { sha256: photo }, grade });
  const search = (query) => go({ q: query, photo: "", why: [], liked: [], disliked: [], all: "" });
  const isPart = q.includes(term);
  return html`<div class="actions">
    <button class="button up" aria-pressed=${state.liked.includes(photo)} @click=${() => judge(1)} title="More like this (u)" aria-label="More like this">${icon("up")}</button>
    <button class="button down" aria-pressed=${state.disliked.includes(photo)} @click=${() => judge(0)} title="Not this (d)" aria-label="Not this">${icon("down")}</button>
    <button class="button" @click=${() => search(term)}>${icon("search")} Similar</button>
    ${q && !isPart
      ? html`<button class="button" title="Add to the query" @click=${() => search(`${q} + ${term}`)}>${icon("plus")} Add</button>
          <button class="button" title="Take away from the query" @click=${() => search(`${q} - ${term}`)}>${icon("minus")} Take away</button>`
      : nothing}
  </div>`;
}

function facts() {
  const one = { ...known, ...hit() };
  const files = known?.files ?? (hit() ? [{ path: hit().path }] : []);
  const pairs = [
    ["Match", one.match == null ? null : `${format.percent(one.match)} estimated`],
    ["Score", one.query ? `${format.score(one.score)}, place ${format.count(one.rank)}` : null],
    ["Taken", one.captured_at && format.taken(one.captured_at)],
    ["Camera", one.camera],
    ["Size", one.width && `${format.count(one.width)} × ${format.count(one.height)} px${one.bytes ? `, ${format.bytes(one.bytes)}` : ""}`],
    ["Type", one.format],
  ].filter(([, value]) => value);
  return html`<dl class="facts">
      ${pairs.map(([term, value]) => html`<div><dt>${term}</dt><dd>${value}</dd></div>`)}
      <div><dt>${files.length > 1 ? `${files.length} copies` : "File"}</dt>${files.map((file) => html`<dd class="path" title=${file.path}>${within(file.path)}</dd>`)}</div>
    </dl>
    ${known?.files.length
      ? html`<p class="actions"><a class="button" href="/api/pictures/${state.photo}/original" target="_blank" title="Open the original file">Original</a>
          <a class="button" href="/api/pictures/${state.photo}/original?download=true" download>Save</a>
          ${navigator.clipboard ? html`<button class="button" @click=${copyPath}>Copy path</button>` : nothing}</p>`
      : nothing}`;
}

async function copyPath() {
  if ((await attempt(() => navigator.clipboard.writeText(path()).then(() => true))) !== undefined) toast("The path is copied.", "good");
}

/** The frame is as large as the stage allows: overlays lie on it exactly. */
function fit() {
  const frame = dialog.querySelector(".frame");
  const size = state?.photo && (hit() ?? known);
  if (!frame || !size || !dialog.open) return;
  const { clientWidth, clientHeight } = frame.parentElement;
  const scale = Math.min(LARGEST, clientWidth / size.width, clientHeight / size.height);
  Object.assign(frame.style, { width: `${size.width * scale}px`, height: `${size.height * scale}px` });
}

function key(event) {
  if (isTyping(event)) return;
  const commands = {
    ArrowLeft: () => turn(-1),
    ArrowRight: () => turn(1),
    u: () => mark({ hit: { sha256: state.photo }, grade: 1 }),
    d: () => mark({ hit: { sha256: state.photo }, grade: 0 }),
    z: () => zoom.toggle(),
    w: () => go({ why: state.why.length ? [] : [question()] }, { replace: true }),
  };
  if (!(event.key in commands)) return;
  event.preventDefault();
  commands[event.key]();
}
