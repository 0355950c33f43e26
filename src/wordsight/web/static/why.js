// Why a photo was found: heat maps and boxes of one text or two over it, and the panel that sets them.

import { go } from "./address.js";
import { get } from "./api.js";
import { percent, score } from "./format.js";
import { draw as drawHeat, valuesOf } from "./heat.js";
import { icon } from "./icons.js";
import { encoderOf } from "./service.js";
import { announce, paused } from "./ui.js";
import { html, nothing, svg } from "./vendor/lit-html.js";

const OPACITY = 0.7;
const COLOURS = ["first", "second"];
const settle = paused((change) => go(change, { replace: true }), 200);

let explained = { key: "", answers: [], problem: null };
let live = {}; // sliders that are being moved

const texts = (state) => state.why.map((text) => text.trim()).filter(Boolean).slice(0, 2);
const opacityOf = (state) => Number(live.opacity ?? (state.opacity || OPACITY));
const thresholdOf = (state) => Number(live.threshold ?? (state.threshold || explained.answers[0]?.map.threshold || 0.5));

function paramsOf(state, text) {
  const encoder = encoderOf(state);
  const method = encoder?.methods.includes(state.method) ? state.method : "";
  return { text, ...(state.encoder && { encoder: state.encoder }), ...(method && { method }) };
}

/** What lies over the picture: a canvas for the maps, boxes, and without these the region that was found. */
export function marksOnPicture(state, { width, height }, region) {
  const isOn = state.why.length > 0;
  const boxes = isOn ? explained.answers.flatMap(({ boxes }, which) => boxes.map((box) => ({ ...box, kind: COLOURS[which] }))) : [];
  if (!isOn && region) boxes.push({ ...region, kind: "region" });
  return html`<canvas class="heat" ?hidden=${!isOn} aria-hidden="true"></canvas>
    <svg class="boxes" viewBox="0 0 ${width} ${height}" preserveAspectRatio="none" aria-hidden="true">
      ${boxes.map(
        ({ left, top, right, bottom, kind }) => svg`<rect class="halo" x=${left} y=${top} width=${right - left} height=${bottom - top} />
          <rect class=${kind} x=${left} y=${top} width=${right - left} height=${bottom - top} />`,
      )}
    </svg>`;
}

/** The panel: texts, method, sliders, and what the service says of each text. */
export function whyPanel(state, question, match, redraw) {
  const isOn = state.why.length > 0;
  const toggle = () => go({ why: isOn ? [] : [question()] }, { replace: true });
  return html`<section class="why" aria-label="Why">
    <button class="button wide" aria-pressed=${isOn} aria-keyshortcuts="w" @click=${toggle}>${icon("eye")} Why this photo? <kbd aria-hidden="true">w</kbd></button>
    ${isOn ? settings(state, match === null ? null : question(), redraw) : nothing}
  </section>`;
}

/** `told`: a text whose match estimate stands below already. */
function settings(state, told, redraw) {
  const methods = encoderOf(state)?.methods ?? [];
  const submit = (event) => {
    event.preventDefault();
    const why = [...new FormData(event.target).getAll("text")].map((text) => text.trim()).filter(Boolean);
    go({ why: why.length ? why : [" "] }, { replace: true });
  };
  const slide = (name) => (event) => {
    live = { ...live, [name]: event.target.value };
    redraw();
    settle({ [name]: event.target.value });
  };
  return html`<form class="texts" @submit=${submit} @change=${(event) => event.target.form.requestSubmit()}>
      ${COLOURS.map(
        (kind, which) => html`<label class="text ${kind}"><span class="unseen">${which ? "A second text" : "A text"}</span>
          <input name="text" .value=${texts(state)[which] ?? ""} maxlength="1000" autocomplete="off"
            placeholder=${which ? "and a second text" : "what to look for in it"}></label>
          ${answered(explained.answers[which], texts(state)[which] === told)}`,
      )}
      <button class="unseen" tabindex="-1">Explain</button>
    </form>
    ${explained.busy ? html`<p class="busy">Looking …</p>` : nothing}
    ${explained.problem ? html`<p class="notice">${explained.problem.message}</p>` : nothing}
    ${methods.length > 1
      ? html`<label class="field">Method <select class="chip" @change=${(event) => go({ method: event.target.value }, { replace: true })}>
          ${methods.map((method, place) => html`<option value=${place ? method : ""} ?selected=${method === state.method}>${method}</option>`)}
        </select></label>`
      : nothing}
    ${slider("Opacity", opacityOf(state), slide("opacity"))} ${slider("Threshold", thresholdOf(state), slide("threshold"))}`;
}

function slider(label, value, onInput) {
  return html`<label class="field">${label}
    <input type="range" min="0" max="1" step="0.05" aria-valuetext=${percent(value)} .value=${value} @input=${onInput}><output aria-live="off">${percent(value)}</output></label>`;
}

function answered(answer, isKnown) {
  return answer ? html`<p class="hint">${told(answer, isKnown)}</p>` : nothing;
}

function told(answer, isKnown = false) {
  const parts = [`score ${score(answer.score)}`];
  if (answer.match !== null && !isKnown) parts.push(`match ${percent(answer.match)}, this photo by itself`);
  parts.push(answer.map.peak ? `${answer.boxes.length} ${answer.boxes.length === 1 ? "box" : "boxes"}` : "nothing here speaks for it");
  return parts.join(" · ");
}

/** Fetch what the state asks to be explained, and draw it on the canvas. */
export async function paint(state, canvas, redraw) {
  const asked = texts(state);
  const settled = JSON.stringify([state.photo, state.encoder, state.method, asked, state.threshold]);
  if (!canvas || !state.why.length) {
    live = {};
    explained = { key: "", answers: [], problem: null };
    return;
  }
  canvas.style.opacity = opacityOf(state);
  if (settled !== explained.key) await explain(settled, state, asked, redraw);
  const maps = explained.maps ?? [];
  if (maps.length) drawHeat(canvas, maps, thresholdOf(state));
  else canvas.width = 0;
}

async function explain(key, state, asked, redraw) {
  const isSame = explained.photo === state.photo;
  explained = { ...(isSame ? explained : { answers: [], maps: [] }), key, photo: state.photo, busy: asked.length > 0, problem: null };
  live = {};
  if (explained.busy) redraw();
  const ask = async (text) => {
    const params = paramsOf(state, text);
    const limits = { ...(state.threshold && { threshold: state.threshold }), ...params };
    const answer = await get(`/api/pictures/${state.photo}/explain`, limits);
    return [answer, await valuesOf(state.photo, params)]; // which the service has by now
  };
  let found = [];
  let problem = null;
  try {
    found = await Promise.all(asked.map(ask));
  } catch (error) {
    problem = error;
  }
  if (explained.key !== key) return;
  explained = { ...explained, answers: found.map(([answer]) => answer), maps: found.map(([, map]) => map), busy: false, problem };
  redraw();
  if (found.length) announce(found.map(([answer], which) => `${asked[which]}: ${told(answer)}`).join(". "));
}
