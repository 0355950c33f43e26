// Files with the same content, and photos that look nearly the same.

import { get, thumbnail } from "./api.js";
import { count, name, percent } from "./format.js";
import { loadFolders, within } from "./service.js";
import { paused } from "./ui.js";
import { html, nothing } from "./vendor/lit-html.js";

const SHOWN = 12;
let threshold = 0.95;
let found = null;
let failed = null;
let most = SHOWN;

/** Look for them, then draw. */
export async function loadDuplicates(draw) {
  loadFolders(draw);
  const asked = threshold;
  const answer = await get("/api/library/duplicates", { threshold: asked, limit: 200 }).catch((error) => ((failed = error), null));
  if (asked !== threshold) return;
  if (answer) [found, failed] = [answer, null];
  draw();
}

const reload = paused((draw) => loadDuplicates(draw), 250);

/** The section of the page. */
export function duplicateSection(draw) {
  const slide = (event) => {
    threshold = Number(event.target.value);
    draw();
    reload(draw);
  };
  const groups = found ? [...found.exact.map(exact), ...found.near.map(near)] : [];
  return html`<section aria-label="Duplicates"><h2>Duplicates ${found ? html`<small>${count(groups.length)} groups</small>` : nothing}</h2>
    <label class="field short">Alike from <input type="range" min="0.8" max="1" step="0.01" .value=${threshold} @input=${slide}>
      <output>${percent(threshold)}</output></label>
    ${failed ? html`<p class="notice">${failed.message}</p>` : nothing}
    ${found ? nothing : html`<p class="busy">Comparing all photos …</p>`}
    ${found && !groups.length ? html`<p class="hint">None of ${count(found.compared)} photos looks like another.</p>` : nothing}
    <div class="groups">${groups.slice(0, most)}</div>
    ${groups.length > most ? html`<button class="button" @click=${() => ((most += 5 * SHOWN), draw())}>Show more</button>` : nothing}
  </section>`;
}

function exact({ sha256, paths }) {
  return html`<figure class="card group"><div class="strip">${picture(sha256, paths[0])}</div>
    <figcaption><b>${paths.length} copies</b> of one file${paths.map((path) => html`<span class="path" title=${path}>${within(path)}</span>`)}</figcaption></figure>`;
}

function near({ similarity, photos }) {
  return html`<figure class="card group"><div class="strip">${photos.map(({ sha256, path }) => picture(sha256, path))}</div>
    <figcaption><b>${percent(similarity)} alike</b> ${photos.map(({ path }) => html`<span class="path" title=${path}>${within(path)}</span>`)}</figcaption></figure>`;
}

function picture(sha256, path) {
  return html`<a href="/?photo=${sha256}"><img src=${thumbnail(sha256, 320)} alt=${name(path)} loading="lazy" height="110"></a>`;
}
