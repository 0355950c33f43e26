// Filters, order and engine as chips; their lists tell how many photos each lets through.

import { go } from "./address.js";
import { get } from "./api.js";
import { count } from "./format.js";
import { icon } from "./icons.js";
import { knownEncoders } from "./service.js";
import { combineButton } from "./terms.js";
import { html, nothing } from "./vendor/lit-html.js";

const ASKED = ["folder", "since", "until", "camera", "type"];
let facets = null;
let facetsFor = null;
let redraw = () => {};

/** Fetch what can be filtered by, if that may have changed, and draw again. */
export async function loadFacets(state, draw) {
  redraw = draw;
  const params = new URLSearchParams(ASKED.flatMap((name) => [state[name]].flat().filter(Boolean).map((value) => [name, value])));
  const key = params.toString();
  if (key === facetsFor) return;
  facetsFor = key;
  const [all, passing] = await Promise.all([get("/api/facets"), key ? get("/api/facets", params) : null]).catch(() => []);
  if (key !== facetsFor || !all) return;
  facets = merged(all, passing ?? all);
  draw();
}

/** The catalogue has changed. */
export function forgetFacets() {
  facetsFor = null;
}

/** Every choice there is, with how many photos pass now. */
function merged(all, passing) {
  const counted = (name) => {
    const now = new Map(passing[name].map(({ value, count: number }) => [value, number]));
    return all[name].map((choice) => ({ ...choice, count: now.get(choice.value) ?? 0 }));
  };
  return Object.fromEntries(["folders", "cameras", "years", "types"].map((name) => [name, counted(name)]));
}

/** The row of chips. */
export function filterBar(state) {
  const date = [state.since, state.until].filter(Boolean);
  return html`<div class="filters" role="group" aria-label="Filters" @keydown=${closeOnEscape}>
    ${menu("Folder", state.folder.map(lastPart), { folder: [] }, () => choices("folder", facets?.folders, state.folder))}
    ${menu("Date", date.length === 2 && date[0] === date[1] ? [date[0]] : spoken(state), { since: "", until: "" }, () => dates(state))}
    ${menu("Camera", state.camera ? [state.camera] : [], { camera: "" }, () => choices("camera", facets?.cameras, [state.camera], true))}
    ${menu("Type", state.type, { type: [] }, () => choices("type", facets?.types, state.type))}
    <span class="rule" aria-hidden="true"></span>
    ${combineButton(state, redraw)} ${order(state)} ${engine(state)} ${views(state)}
  </div>`;
}

function spoken({ since, until }) {
  return [since && `since ${since}`, until && `until ${until}`].filter(Boolean);
}

function menu(title, values, none, content) {
  const isOn = values.length > 0;
  return html`<span class="filter">
    <details name="filter" class=${isOn ? "on" : ""} @toggle=${place}>
      <summary class="chip">${isOn ? html`<span><b>${title}:</b> ${values.join(", ")}</span>` : title} ${icon("chevron")}</summary>
      <div class="panel">${content()}</div>
    </details>
    ${isOn ? html`<button class="off" aria-label="Remove the filter ${title}" @click=${() => go(none)}>${icon("close")}</button>` : nothing}
  </span>`;
}

/** Keep an opened panel on the screen. */
function place(event) {
  const panel = event.target.querySelector(".panel");
  panel.style.translate = "0";
  const over = panel.getBoundingClientRect().right - document.documentElement.clientWidth + 8;
  if (event.target.open && over > 0) panel.style.translate = `${-over}px`;
}

function choices(name, offered, chosen, single = false) {
  if (!offered) return html`<p class="hint">Loading …</p>`;
  if (!offered.length) return html`<p class="hint">None of the photos tells this.</p>`;
  const change = (value, on) => go({ [name]: single ? (on ? value : "") : on ? [...chosen, value] : chosen.filter((one) => one !== value) });
  return html`<ul>${offered.map(
    ({ value, label, count: number }) => html`<li><label title=${value}>
      <input type="checkbox" .checked=${chosen.includes(value)} @change=${(event) => change(value, event.target.checked)}>
      <span>${label}</span><small>${count(number)}</small></label></li>`,
  )}</ul>`;
}

function dates(state) {
  const submit = (event) => {
    event.preventDefault();
    const { since, until } = event.target.elements;
    go({ since: since.value.trim(), until: until.value.trim() });
  };
  const year = ({ value, label, count: number }) => html`<button type="button" class="chip" aria-pressed=${state.since === value && state.until === value}
    @click=${() => go({ since: value, until: value })}>${label} <small>${count(number)}</small></button>`;
  return html`<form class="dates" @submit=${submit}>
    <label>Since <input name="since" .value=${state.since} placeholder="2021-06" autocomplete="off"></label>
    <label>Until <input name="until" .value=${state.until} placeholder="2023" autocomplete="off"></label>
    <button class="button primary">Apply</button>
    <p class="hint">A year, month or day, or an age: 30d, 6m, 1y. Photos without a date do not pass.</p>
    ${facets?.years.length ? html`<div class="years">${facets.years.map(year)}</div>` : nothing}
  </form>`;
}

function order(state) {
  if (!state.q || state.view) return nothing;
  return html`<select class="chip" aria-label="Order" @change=${(event) => go({ sort: event.target.value })}>
    <option value="" ?selected=${!state.sort}>Best first</option>
    <option value="date" ?selected=${state.sort === "date"}>Newest first</option>
  </select>`;
}

function engine(state) {
  const known = knownEncoders();
  if (known.length < 2 || state.view) return nothing;
  return html`<select class="chip" aria-label="Engine" @change=${(event) => go({ encoder: event.target.value, liked: [], disliked: [] })}>
    ${known.map(({ name }, place) => html`<option value=${place ? name : ""} ?selected=${name === state.encoder}>${name}</option>`)}
  </select>`;
}

function views(state) {
  if (!state.q) return nothing;
  const isOn = state.view === "compare";
  return html`<button class="chip" aria-pressed=${isOn} @click=${() => go({ view: isOn ? "" : "compare" })}>${icon("columns")} Side by side</button>`;
}

function closeOnEscape(event) {
  const open = event.target.closest("details[open]");
  if (event.key !== "Escape" || !open) return;
  open.open = false;
  open.querySelector("summary").focus();
  event.stopPropagation();
}

addEventListener("pointerdown", (event) => {
  for (const open of document.querySelectorAll(".filter details[open]")) if (!open.contains(event.target)) open.open = false;
});

const lastPart = (path) => path.split(/[/\\]/).filter(Boolean).pop() ?? path;
