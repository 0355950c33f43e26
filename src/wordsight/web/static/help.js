// The keys, told on "?".

import { html, render } from "./vendor/lit-html.js";

const KEYS = [
  ["/", "to the search box"],
  ["← ↑ → ↓", "from photo to photo; Home and End to the first and last"],
  ["Enter", "open the photo; search"],
  ["w", "why: heat map and boxes on the photo"],
  ["u, d", "thumbs up, thumbs down"],
  ["z", "closer, and back; so do the wheel, two fingers and a double click"],
  ["Escape", "close; from the box back to the photos"],
  ["?", "this list"],
];
const GRAMMAR = [
  ["dog + beach - people", "towards dog and beach, away from people"],
  ["2:cat + dog", "twice as much cat"],
  ["@name", "a query that was saved"],
];

/** Show the list. */
export function openHelp() {
  const dialog = document.getElementById("help");
  const rows = (pairs) => pairs.map(([key, text]) => html`<div><dt><kbd>${key}</kbd></dt><dd>${text}</dd></div>`);
  render(
    html`<h2 id="help-title">Keys</h2>
      <dl class="keys">${rows(KEYS)}</dl>
      <h2>Queries</h2>
      <dl class="keys">${rows(GRAMMAR)}</dl>
      <form method="dialog"><button class="button primary" autofocus>Close</button></form>`,
    dialog,
  );
  dialog.showModal();
}
