// The library page: how the catalogue is, what was skipped, duplicates, clusters, encoders, and bringing it up to date.

import { get } from "./api.js";
import { clusterSection, loadClusters } from "./clusters.js";
import { duplicateSection, loadDuplicates } from "./duplicates.js";
import { count, name, photos, taken } from "./format.js";
import { encoders } from "./service.js";
import { progress, start, watch } from "./sync.js";
import { message } from "./ui.js";
import { html, nothing, render } from "./vendor/lit-html.js";

const SHOWN = 200; // skipped files in the list at first
let place = null;
let health = null;
let status = null;
let failed = null;

export const title = () => "Library · wordsight";

export function show(main) {
  place = main;
  draw();
  watch(draw, load);
  load();
  encoders();
}

export function leave() {
  place = null;
}

async function load() {
  try {
    [health, status] = await Promise.all([get("/api/library"), get("/api/status")]);
    failed = null;
  } catch (error) {
    failed = error;
  }
  draw();
  if (!failed && status.indexed) await Promise.all([loadDuplicates(draw), loadClusters(draw)]);
}

function draw() {
  if (!place) return;
  render(
    html`<div class="page"><h1>Library</h1>
      ${progress()}
      ${failed ? message("The library cannot be read", failed.message) : nothing}
      ${health ? content() : failed ? nothing : html`<p class="busy">Reading the catalogue …</p>`}</div>`,
    place,
  );
}

function content() {
  const { folders } = health;
  return html`<p class="lead">${photos(status.photos)} in <code>${status.catalogue}</code>
      ${status.store ? nothing : html`<button class="button primary" @click=${() => start()}>Sync now</button>`}</p>
    <div class="cards">${folders.map(folderCard)}</div>
    ${skippedSection(folders)} ${encoderSection()}
    ${status.indexed ? [clusterSection(draw), duplicateSection(draw)] : nothing}`;
}

function folderCard(folder) {
  const parts = [
    ["indexed", folder.indexed, ""],
    ["new", folder.new, "todo"],
    ["changed", folder.changed, "todo"],
    ["moved", folder.moved, "todo"],
    ["missing", folder.missing, "bad"],
    ["not encoded", folder.unencoded, "todo"],
    ["skipped", folder.skipped, "warn"],
  ].filter(([word, number]) => number || word === "indexed");
  return html`<section class="card folder" aria-label=${folder.folder}>
    <h2>${name(folder.folder) || folder.folder} <span class="state ${folder.well ? "good" : "todo"}">${status.store ? "Store" : folder.well ? "Up to date" : "To do"}</span></h2>
    <p class="path">${folder.folder}</p>
    <dl class="tally">${parts.map(([word, number, kind]) => html`<div class=${kind}><dt>${word}</dt><dd>${count(number)}</dd></div>`)}</dl>
    ${folder.problems?.map((problem) => html`<p class="notice">${problem}</p>`)}
    ${status.store ? html`<p class="hint"><span>A store: <code>wordsight index SOURCE --store …</code> brings it up to date.</span></p>` : lastSync(folder)}
  </section>`;
}

function lastSync({ folder, synced_at }) {
  return html`<p class="hint">${synced_at ? `Synced ${taken(synced_at)}` : "Never synced"}
    <button class="button" @click=${() => start({ folder })}>Sync</button></p>`;
}

function skippedSection(folders) {
  const skips = folders.flatMap((folder) => folder.skips ?? []);
  if (!skips.length) return nothing;
  return html`<section><h2>Skipped files <small>${count(skips.length)}</small></h2>
    <p class="hint">They cannot be searched.
      ${status.store ? nothing : html`<button class="button" @click=${() => start({ retry_skipped: true })}>Try them again</button>`}</p>
    <div class="scroll" tabindex="0" role="region" aria-label="Skipped files"><table>
      <thead><tr><th scope="col">File</th><th scope="col">Reason</th></tr></thead>
      <tbody>${skips.slice(0, SHOWN).map(({ path, reason }) => html`<tr><td class="name" title=${path}>${name(path)}</td><td>${reason}</td></tr>`)}</tbody>
    </table></div>
    ${skips.length > SHOWN ? html`<p class="hint">and ${count(skips.length - SHOWN)} more: <code>wordsight status${status.store ? " --store … -v" : ""}</code> lists all.</p>` : nothing}
  </section>`;
}

function encoderSection() {
  return html`<section><h2>Encoders</h2>
    <div class="scroll" tabindex="0" role="region" aria-label="Encoders"><table>
      <thead><tr><th scope="col">Name</th><th scope="col">Version</th><th scope="col">Vectors</th><th scope="col">Here</th></tr></thead>
      <tbody>${health.encoders.map(
        (one) => html`<tr><td>${one.name}</td><td><code title=${one.fingerprint}>${one.fingerprint.slice(0, 12)}</code></td>
          <td>${count(one.vectors)}</td><td class="word">${one.served ? "served" : "not served"}</td></tr>`,
      )}</tbody>
    </table></div>
  </section>`;
}
