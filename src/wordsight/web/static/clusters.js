// Groups of photos that belong together; a name makes one a query.

import { get, put, thumbnail } from "./api.js";
import { count, photos } from "./format.js";
import { attempt, toast } from "./ui.js";
import { html, nothing } from "./vendor/lit-html.js";

const SHOWN = 8;
const SIZES = [6, 12, 24, 48];
let k = 12;
let found = null;
let failed = null;

/** Make them, then draw. */
export async function loadClusters(draw) {
  const asked = k;
  const answer = await get("/api/library/clusters", { k: asked }).catch((error) => ((failed = error), null));
  if (asked !== k) return;
  if (answer) [found, failed] = [answer, null];
  draw();
}

/** The section of the page. */
export function clusterSection(draw) {
  const choose = (event) => {
    k = Number(event.target.value);
    found = null;
    draw();
    loadClusters(draw);
  };
  return html`<section aria-label="Clusters"><h2>What is in here</h2>
    <label class="field short">Groups <select class="chip" @change=${choose}>${SIZES.map((size) => html`<option ?selected=${size === k}>${size}</option>`)}</select></label>
    ${failed ? html`<p class="notice">${failed.message}</p>` : nothing}
    ${found || failed ? nothing : html`<p class="busy">Grouping the photos …</p>`}
    <div class="groups">${found?.clusters.map((cluster) => card(cluster, draw))}</div>
  </section>`;
}

function card(cluster, draw) {
  const save = async (event) => {
    event.preventDefault();
    const name = event.target.elements.name.value.trim();
    if ((await attempt(() => put(`/api/library/clusters/${cluster.id}?k=${k}`, { name }))) === undefined) return;
    toast(`@${name} now finds photos like these.`, "good");
    await loadClusters(draw);
  };
  return html`<figure class="card cluster">
    <div class="mosaic">${cluster.closest.slice(0, SHOWN).map(
      (sha256) => html`<a href="/?photo=${sha256}" aria-label="Open a photo of this group"><img src=${thumbnail(sha256, 160)} alt="" loading="lazy"></a>`,
    )}</div>
    <figcaption>
      <span>${cluster.name ? html`<a href="/?q=${encodeURIComponent(`@${cluster.name}`)}"><b>@${cluster.name}</b></a> · ` : nothing}${photos(cluster.count)}</span>
      <form @submit=${save}><input name="name" required maxlength="200" autocomplete="off" placeholder="Name" aria-label="Name of a group of ${count(cluster.count)}" .value=${cluster.name ?? ""}>
        <button class="button">Save</button></form>
    </figcaption></figure>`;
}
