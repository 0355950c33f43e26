// The search page: what is asked (terms, filters), what the answer is, and the photos.

import { changed, go, read, searchOf } from "./address.js";
import { compareView } from "./compare.js";
import { feedbackBar, mark } from "./feedback.js";
import { filterBar, loadFacets } from "./filters.js";
import { count, ms, percent, photos } from "./format.js";
import "./grid.js";
import { resultsOf } from "./results.js";
import { encoders } from "./service.js";
import { firstSteps } from "./sync.js";
import { termsRow } from "./terms.js";
import { announce, message } from "./ui.js";
import { html, nothing, render } from "./vendor/lit-html.js";
import { openInViewer } from "./viewer.js";

let place = null;
let results = null;

export const title = ({ q }) => (q ? `${q} · wordsight` : "wordsight");

/** Show the state of the address. */
export function show(main, state) {
  place = main;
  if (!state.view) follow(resultsOf(searchOf(state)));
  draw();
  if (state.view || results.answer) loadRest();
}

/** What can wait until the photos are there. */
function loadRest() {
  loadFacets(read(), draw);
  encoders().then(draw);
}

export function leave() {
  document.querySelector("photo-grid")?.remove(); // remembers where it was left
  results = null;
}

function follow(next) {
  if (next === results) return;
  results?.removeEventListener("change", answered);
  results = next;
  results.addEventListener("change", answered);
  if (!results.answer) results.more();
}

function answered() {
  requestAnimationFrame(tell); // the grid hears of it, too, and its pictures are asked for before words are drawn
}

function tell() {
  if (location.pathname !== "/" || !results) return;
  draw();
  if (results.answer) announce(plainly(results));
  requestAnimationFrame(() => performance.mark("shown"));
  setTimeout(() => location.pathname === "/" && loadRest(), 150);
}

function draw() {
  if (location.pathname !== "/") return;
  const state = read();
  render(
    html`<h1 class="unseen">Search photos</h1>
      <div class="asked">
        ${termsRow(state, state.view ? null : results.answer)} ${filterBar(state)} ${feedbackBar(state)}
      </div>
      ${state.view ? compareView(state) : found(state)}`,
    place,
  );
}

function found(state) {
  const { answer, error, hits } = results;
  if (error && !hits.length) return problem(error);
  if (answer && !answer.searched && !state.q) return nothingIndexed(state);
  if (answer?.nothing_matches && !state.all) return nothingMatches(answer);
  if (answer && !hits.length) return message("No photos here", "No photo passes all of these filters. Take one away.");
  return html`<p class="told">${answer ? told(results) : html`<span class="busy">Searching …</span>`}</p>
    ${answer?.notices.map((notice) => html`<p class="notice">${notice}</p>`)}
    <photo-grid .results=${results} .marks=${state} @mark=${(event) => mark(event.detail)}
      @explain=${(event) => openInViewer(event.detail.hit, { why: true })}></photo-grid>
    ${error ? problem(error) : nothing}`;
}

function told({ answer }) {
  return html`<span>${plainly(results)}</span>
    <span class="cost">encoded in ${ms(answer.ms.encode)}, searched in ${ms(answer.ms.search)}</span>`;
}

function plainly({ answer, hits, done }) {
  if (!answer.query && !answer.hits[0]?.query) return `${photos(answer.searched)}, newest first`;
  if (!answer.calibrated || hits.some((hit) => hit.match === null)) return `${photos(answer.searched)} searched, the closest first`;
  const likely = hits.filter((hit) => hit.match >= 0.5).length;
  const open = !done && likely === hits.length;
  return `${open ? "More than " : ""}${likely ? count(likely) : "None"} of ${photos(answer.searched)} probably match${likely === 1 ? "es" : ""}`;
}

function nothingMatches(answer) {
  const best = answer.hits[0]?.match;
  return message(
    `Nothing here matches “${answer.query}”`,
    `${photos(answer.searched)} were searched${best === undefined ? "" : `; the best match estimate is ${percent(best)}`}.`,
    html`<a class="button" href=${changed({ all: "1" })}>Show the nearest anyway</a>`,
  );
}

function problem(error) {
  const near = error.near?.length
    ? html`<p class="near">It knows ${error.near.map((label) => html`<button class="chip" @click=${() => go({ q: label })}>${label}</button>`)}</p>`
    : nothing;
  if (error.status === 409) return nothingIndexed();
  const titles = { 0: "No connection", 429: "Too fast", 503: "Cannot answer just now" };
  return html`${message(titles[error.status] ?? "That cannot be searched for", html`<span class="pre">${error.message}</span>`, near)}`;
}

function nothingIndexed(state = read()) {
  const narrowed = state.folder.length || state.since || state.until || state.camera || state.type.length;
  return narrowed ? message("No photos here", "No photo passes all of these filters. Take one away.") : firstSteps(draw);
}
