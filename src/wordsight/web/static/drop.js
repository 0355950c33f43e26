// Pictures that are dropped on the page or pasted into it are searched by.

import { read } from "./address.js";
import { searchBy } from "./bar.js";
import { shown } from "./query.js";
import { html, render } from "./vendor/lit-html.js";

const area = document.getElementById("drop");
let depth = 0;

/** Listen for pictures. */
export function catchPictures() {
  addEventListener("dragenter", (event) => hasFiles(event) && enter(1));
  addEventListener("dragleave", (event) => hasFiles(event) && enter(-1));
  addEventListener("dragover", (event) => hasFiles(event) && event.preventDefault());
  addEventListener("drop", drop);
  addEventListener("paste", paste);
}

const hasFiles = (event) => event.dataTransfer?.types.includes("Files");

function enter(step) {
  depth = Math.max(0, depth + step);
  area.hidden = depth === 0;
  const { q } = read();
  const zone = (sign, text) => html`<p class="zone" data-sign=${sign}>${text}</p>`;
  render(
    html`${zone("", "Search by this picture")}
    ${q ? [zone("+", `Add it to “${shown(q)}”`), zone("-", `Take it away from “${shown(q)}”`)] : ""}`,
    area,
  );
}

function drop(event) {
  if (!hasFiles(event)) return;
  event.preventDefault();
  const sign = event.target.closest?.(".zone")?.dataset.sign ?? "";
  depth = 0;
  area.hidden = true;
  const file = event.dataTransfer.files[0];
  if (file) searchBy(file, sign);
}

/** A pasted picture is searched by; where words stand already, it is added to them. */
function paste(event) {
  const file = [...(event.clipboardData?.files ?? [])].find((one) => one.type.startsWith("image/"));
  if (!file) return;
  event.preventDefault();
  searchBy(file, "+");
}
