// Bringing the catalogue up to date, and its progress as it happens.

import { get, post, remove } from "./api.js";
import { forgetFacets } from "./filters.js";
import { count, name } from "./format.js";
import { forget } from "./results.js";
import { isStore } from "./service.js";
import { announce, attempt, message } from "./ui.js";
import { html, nothing } from "./vendor/lit-html.js";

let state = null;
let events = null;
let redraw = () => {};
let whenDone = () => {};

/** Start a sync, of all folders unless told, and follow it. */
export async function start(options = {}) {
  const begun = await attempt(() => post("/api/sync", options));
  if (begun) take(begun);
  follow();
}

/** Follow a sync that runs; `draw` is called as it goes on, `done` at its end. */
export function watch(draw, done) {
  redraw = draw;
  whenDone = done;
  if (!events) get("/api/sync").then((found) => (take(found), found.running && follow())).catch(() => {});
}

function follow() {
  if (events) return;
  events = new EventSource("/api/sync/events");
  events.addEventListener("progress", (event) => take(JSON.parse(event.data)));
  events.addEventListener("done", (event) => {
    events.close();
    events = null;
    take(JSON.parse(event.data));
    forget();
    forgetFacets();
    announce("The sync has ended");
    whenDone();
  });
}

function take(next) {
  state = next;
  redraw();
}

/** How far it is; nothing where none ran. */
export function progress() {
  if (!state || (!state.running && !state.report && !state.error)) return nothing;
  const { running, done, total, encoded, skipped, latest, error } = state;
  return html`<section class="card progress" aria-label="Sync">
    <h2>${running ? "Bringing the catalogue up to date" : error ? "The sync has failed" : "The sync has ended"}</h2>
    ${error ? html`<p class="notice bad">${error}</p>` : nothing}
    <progress aria-label="Files done" max=${total || 1} value=${running && !total ? nothing : done}></progress>
    <p><b>${count(done)}</b> of ${total ? count(total) : "…"} files · ${count(encoded)} encoded · ${count(skipped)} skipped
      ${running ? html`<button class="button" @click=${() => attempt(() => remove("/api/sync"))}>Stop</button>` : nothing}</p>
    ${latest?.length
      ? html`<details><summary>Skipped just now</summary><ul class="plain">${latest.map(
          (one) => html`<li><b>${name(one.path)}</b> ${one.reason}</li>`,
        )}</ul></details>`
      : nothing}
  </section>`;
}

/** What a page shows where nothing is indexed yet. */
export function firstSteps(draw) {
  if (isStore(draw)) return message("This store is empty", html`<code>wordsight index SOURCE --store …</code> fills it.`);
  watch(draw, () => location.reload());
  if (state?.running) return html`<div class="beginning">${progress()}</div>`;
  return message(
    "No photos are indexed yet",
    "Indexing looks at each photo once. Nothing leaves this machine, and your folders are only read.",
    html`<button class="button primary" @click=${() => start()}>Index now</button>${progress()}`,
  );
}
