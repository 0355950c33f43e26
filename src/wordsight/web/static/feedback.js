// Thumbs up and down: the query is refined by them, can be saved, and what was said can be exported as judgements.

import { go, read } from "./address.js";
import { attempt, toast } from "./ui.js";
import { put, remove, thumbnail } from "./api.js";
import { icon } from "./icons.js";
import { html, nothing } from "./vendor/lit-html.js";

/** Say that a hit is right (`grade` 1) or wrong (0) for the query; the same once more takes it back. */
export async function mark({ hit, grade }) {
  const state = read();
  const { sha256 } = hit;
  const [list, other] = grade ? ["liked", "disliked"] : ["disliked", "liked"];
  const isTakenBack = state[list].includes(sha256);
  const without = (names) => names.filter((one) => one !== sha256);
  const next = { [list]: isTakenBack ? without(state[list]) : [...state[list], sha256], [other]: without(state[other]) };
  if (!state.q && !(next.liked.length)) {
    toast("Say first what you look for, or which photos are right: photos that are wrong tell neither.");
    return;
  }
  go(next);
  if (!state.q) return; // judgements belong to a query
  const said = { query: state.q, sha256 };
  await attempt(() => (isTakenBack ? remove("/api/marks", said) : put("/api/marks", { ...said, grade })));
}

/** What refines the query. */
export function feedbackBar(state) {
  if (!state.liked.length && !state.disliked.length) return nothing;
  return html`<div class="feedback" role="group" aria-label="Feedback">
    <span class="refined">Refined by</span>
    ${side(state.liked, "up", "more like this")} ${side(state.disliked, "down", "less like this")}
    <form class="save" @submit=${save}>
      <input name="name" placeholder="Name it" aria-label="Name of the refined query" maxlength="200" required autocomplete="off" size="12">
      <button class="button">Save query</button>
    </form>
    <a class="button" href="/api/marks/qrels" download="marks.qrels" title="For wordsight evaluate">Export marks</a>
    <button class="button" @click=${() => go({ liked: [], disliked: [] })}>Clear</button>
  </div>`;
}

function side(marked, which, words) {
  if (!marked.length) return nothing;
  const takeBack = (sha256) => mark({ hit: { sha256 }, grade: which === "up" ? 1 : 0 });
  return html`<span class="side ${which}">${icon(which)}<span class="unseen">${words}:</span>
    ${marked.map(
      (sha256, place) => html`<button title="Take it back" aria-label="Take back ${words}, photo ${place + 1}" @click=${() => takeBack(sha256)}
        ><img src=${thumbnail(sha256, 160)} alt=""></button>`,
    )}</span>`;
}

async function save(event) {
  event.preventDefault();
  const { q, encoder, liked, disliked } = read();
  const name = event.target.elements.name.value.trim();
  const body = { q, liked, disliked, ...(encoder && { encoder }) };
  const saved = await attempt(() => put(`/api/saved/${encodeURIComponent(name)}`, body));
  if (saved === undefined) return;
  event.target.reset();
  toast(`Saved: @${name} finds it again, here and with “wordsight search @${name}”.`, "good");
}
