// Engines side by side: one query, a column for each and one for all together; what only one of them finds stands out.

import { changed, go, read } from "./address.js";
import { get, thumbnailFor } from "./api.js";
import { ms, name, percent, score, spoken } from "./format.js";
import { announce, message } from "./ui.js";
import { html, nothing } from "./vendor/lit-html.js";

const TOP = 30;
const FUSED = "together";
const ASKED = ["q", "folder", "since", "until", "camera", "type"];
let askedFor = null;
let compared = null;
let failed = null;

/** The view of a state; it asks for what it needs and has the page drawn again. */
export function compareView(state) {
  load(state);
  if (failed) return message("That cannot be compared", failed.message);
  if (!compared) return html`<p class="told"><span class="busy">Searching …</span></p>`;
  const columns = columnsOf(compared);
  return html`${alone(compared)} ${costs(columns)}
    <div class="columns" @pointerover=${relate} @focusin=${relate} @pointerleave=${relate}>${columns.map((one) => column(one, columns))}</div>`;
}

async function load(state) {
  const params = new URLSearchParams(ASKED.flatMap((key) => [state[key]].flat().filter(Boolean).map((value) => [key, value])));
  params.set("limit", TOP);
  if (params.toString() === askedFor) return;
  const key = (askedFor = params.toString());
  compared = failed = null;
  const answer = await get("/api/compare", params).catch((error) => ((failed = error), null));
  if (key !== askedFor) return;
  compared = answer;
  if (compared) announce(`${Object.keys(compared.answers).length} engines answered`);
  if (read().view) go({}, { replace: true });
}

/** Engines first, then all together; those that cannot answer say why. */
function columnsOf({ answers, fused, problems }) {
  const columns = Object.entries(answers).map(([engine, answer]) => ({ engine, answer }));
  for (const [engine, told] of Object.entries(problems)) columns.push({ engine, problem: told });
  if (fused && Object.keys(answers).length > 1) columns.push({ engine: FUSED, answer: fused });
  return columns;
}

function alone({ answers, problems }) {
  if (Object.keys(answers).length + Object.keys(problems).length > 1) return nothing;
  return html`<p class="notice">One engine answers here. To compare, serve another beside it:
    <code>wordsight serve --encoder mini --encoder mine.wsc</code></p>`;
}

function costs(columns) {
  const answered = columns.filter(({ answer }) => answer);
  const most = Math.max(...answered.map(({ answer }) => answer.ms.total), 0.001);
  return html`<table class="costs">
    <caption class="unseen">What each answer costs</caption>
    <thead><tr><th scope="col">Engine</th><th scope="col">Encode</th><th scope="col">Search</th><th scope="col">Total</th>
      <td aria-hidden="true"></td><th scope="col">Also found by others</th></tr></thead>
    <tbody>${answered.map(
      ({ engine, answer }) => html`<tr><th scope="row">${engine}</th><td>${engine === FUSED ? "–" : ms(answer.ms.encode)}</td><td>${ms(answer.ms.search)}</td>
        <td>${ms(answer.ms.total)}</td><td aria-hidden="true"><meter max=${most} value=${answer.ms.total}></meter></td>
        <td>${engine === FUSED ? "–" : shared(engine, columns)}</td></tr>`,
    )}</tbody>
  </table>`;
}

/** How much of a column's hits other engines have, too. */
function shared(engine, columns) {
  const mine = columns.find((one) => one.engine === engine).answer.hits;
  const others = columns.filter((one) => one.answer && one.engine !== FUSED).length - 1;
  if (!mine.length || !others) return "–";
  return `${mine.filter((hit) => elsewhere(hit, engine, columns).length).length} of ${mine.length}`;
}

const elsewhere = (hit, engine, columns) =>
  columns.flatMap((one) => {
    const twin = one.engine === engine || one.engine === FUSED ? null : one.answer?.hits.find(({ sha256 }) => sha256 === hit.sha256);
    return twin ? [{ engine: one.engine, rank: twin.rank }] : [];
  });

function column({ engine, answer, problem }, columns) {
  const engines = columns.filter((one) => one.answer && one.engine !== FUSED).length;
  return html`<section class="column" aria-label=${engine}>
    <h2>${engine === FUSED ? "Together" : engine} ${answer ? html`<small>${ms(answer.ms.total)}</small>` : nothing}</h2>
    ${problem ? html`<div class="notice">${problem.detail} ${problem.near?.map((label) => html`<button class="chip" @click=${() => go({ q: label })}>${label}</button>`)}</div>` : nothing}
    ${answer?.notices.map((notice) => html`<p class="notice">${notice}</p>`) ?? nothing}
    ${answer?.nothing_matches ? html`<p class="notice">Probably nothing here matches; these are the nearest.</p>` : nothing}
    ${answer ? html`<ol>${answer.hits.map((hit) => row(hit, engine, columns, engines))}</ol>` : nothing}
  </section>`;
}

function row(hit, engine, columns, engines) {
  const others = elsewhere(hit, engine, columns);
  const only = engine !== FUSED && engines > 1 && !others.length;
  return html`<li class=${only ? "only" : ""} data-sha=${hit.sha256}>
    <a class="photo" href=${changed({ photo: hit.sha256, encoder: engine === FUSED ? "" : engine })} aria-label=${spoken(hit)}>
      <img src=${thumbnailFor(hit.sha256, 240)} alt="" loading="lazy" width=${hit.width} height=${hit.height}></a>
    <div class="beside"><b>${hit.rank}</b>
      <span>${hit.match === null ? score(hit.score) : percent(hit.match)}</span>
      ${only ? html`<em>only here</em>` : engine === FUSED ? ranks(hit) : others.map((other) => move(hit, other))}
      <span class="name">${name(hit.path)}</span></div>
  </li>`;
}

function move(hit, other) {
  const step = other.rank - hit.rank;
  const kind = step > 0 ? "higher" : step < 0 ? "lower" : "same";
  return html`<small class="move ${kind}">${other.engine}: ${other.rank}</small>`;
}

const ranks = (hit) => Object.entries(hit.ranks ?? {}).map(([engine, rank]) => html`<small class="move">${engine}: ${rank ?? "–"}</small>`);

/** Show where the photo under the pointer or the keyboard stands in the other columns. */
function relate(event) {
  const sha256 = event.type === "pointerleave" ? null : event.target.closest("[data-sha]")?.dataset.sha;
  for (const one of event.currentTarget.querySelectorAll("[data-sha]")) one.classList.toggle("same", one.dataset.sha === sha256);
}
