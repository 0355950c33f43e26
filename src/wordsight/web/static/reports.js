// The reports of comparisons, opened in a frame that can ask nobody for anything.

import { visit } from "./address.js";
import { get } from "./api.js";
import { bytes, taken } from "./format.js";
import { message } from "./ui.js";
import { html, nothing, render } from "./vendor/lit-html.js";

let place = null;
let reports = null;
let failed = null;

export const title = () => "Reports · wordsight";

export async function show(main) {
  place = main;
  draw();
  reports = await get("/api/reports").then((found) => found.reports).catch((error) => ((failed = error), null));
  draw();
}

export function leave() {
  place = null;
}

function draw() {
  if (place) render(html`<div class="page wide"><h1>Reports</h1>${content()}</div>`, place);
}

function content() {
  if (failed) return message("The reports cannot be read", failed.message);
  if (!reports) return html`<p class="busy">Looking for reports …</p>`;
  if (!reports.length) return none();
  const wanted = new URLSearchParams(location.search).get("name");
  const shown = reports.find(({ name }) => name === wanted) ?? reports[0];
  return html`<div class="reports">
    <ul>${reports.map(
      (one) => html`<li><a href="/reports?name=${encodeURIComponent(one.name)}" aria-current=${one === shown ? "true" : nothing}>
        <b>${one.title || one.name}</b><small>${bytes(one.bytes)} · ${taken(one.modified)}</small></a></li>`,
    )}</ul>
    <label class="field narrow">Report <select class="chip" @change=${(event) => visit(`/reports?name=${encodeURIComponent(event.target.value)}`)}>
      ${reports.map((one) => html`<option value=${one.name} ?selected=${one === shown}>${one.title || one.name}</option>`)}</select></label>
    <iframe title=${shown.title || shown.name} src="/reports/${encodeURIComponent(shown.name)}"></iframe>
  </div>`;
}

function none() {
  return message(
    "No reports here",
    html`<code>wordsight compare</code> writes them; <code>wordsight serve --reports FOLDER</code> shows those of a folder.`,
  );
}
