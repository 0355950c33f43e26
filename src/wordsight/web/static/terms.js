// The summands of a query as chips: sign, text or picture, weight. Shown when there is more than one text.

import { go } from "./address.js";
import { thumbnail } from "./api.js";
import { icon } from "./icons.js";
import { format } from "./query.js";
import { html, nothing } from "./vendor/lit-html.js";

const WEIGHTS = [0.25, 0.5, 1, 1.5, 2, 3, 5];
let combining = false;
let known = []; // the terms of the answer before, until the next one is there

/** The row; `answer` tells the terms that the service read. */
export function termsRow(state, answer) {
  if (answer?.terms) known = answer.terms;
  if (!state.q) combining = false;
  if (!state.q || !known.length || !(combining || known.length > 1 || known[0].picture)) return nothing;
  return html`<div class="terms" role="group" aria-label="Parts of the query">
    ${known.map((term, place) => chip(term, place))} ${adder()}
  </div>`;
}

/** Whether the row could be opened, and how. */
export function combineButton(state, redraw) {
  if (!state.q || known.length !== 1 || known[0].picture || combining) return nothing;
  const open = () => {
    combining = true;
    redraw();
    document.querySelector(".adder input")?.focus();
  };
  return html`<button class="chip quiet" @click=${open} title="Add or take away words and pictures">${icon("plus")} Combine</button>`;
}

function chip(term, place) {
  const label = term.text ?? `picture ${term.picture.slice(0, 8)}`;
  const isMinus = term.weight < 0;
  const size = Math.abs(term.weight);
  const sizes = WEIGHTS.includes(size) ? WEIGHTS : [...WEIGHTS, size].sort((a, b) => a - b);
  const change = (weight) => replace(place, { ...term, weight });
  return html`<span class="term ${isMinus ? "minus" : "plus"}">
    <button class="sign" @click=${() => change(-term.weight)} aria-label="${isMinus ? "Away from" : "Towards"} ${label}: turn around"
      >${icon(isMinus ? "minus" : "plus")}</button>
    ${term.picture?.length === 64 ? html`<img src=${thumbnail(term.picture, 160)} alt=${label} height="28">` : html`<span>${label}</span>`}
    <select aria-label="Weight of ${label}" @change=${(event) => change(Math.sign(term.weight) * Number(event.target.value))}>
      ${sizes.map((one) => html`<option value=${one} ?selected=${one === size}>× ${one}</option>`)}
    </select>
    <button class="off" aria-label="Remove ${label}" @click=${() => replace(place, null)}>${icon("close")}</button>
  </span>`;
}

function replace(place, term) {
  const terms = known.flatMap((old, at) => (at !== place ? [old] : term ? [term] : []));
  go({ q: format(terms), why: [], all: "" });
}

function adder() {
  const add = (event) => {
    event.preventDefault();
    const text = event.target.elements.words.value.trim();
    const weight = event.submitter?.value === "-" ? -1 : 1;
    event.target.reset();
    if (text) go({ q: format([...known, { text, weight }]), why: [], all: "" });
  };
  return html`<form class="adder" @submit=${add}>
    <input name="words" aria-label="Words to add or take away" placeholder="words" autocomplete="off" size="10">
    <button value="+" title="Add" aria-label="Add">${icon("plus")}</button>
    <button value="-" title="Take away" aria-label="Take away">${icon("minus")}</button>
  </form>`;
}
