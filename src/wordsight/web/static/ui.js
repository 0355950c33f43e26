// What all parts of the page use: what is said aloud, short notes, where keys go.

import { html } from "./vendor/lit-html.js";

const TOLD_AFTER = 60; // milliseconds: screen readers hear of changes, not of what is there from the start

/** An element for notes, within the dialog that is open: all else is covered by it, and not read aloud. */
function onTop(id) {
  const element = document.getElementById(id);
  const place = document.querySelector("dialog[open]") ?? document.body;
  if (element.parentElement !== place) place.append(element);
  return element;
}

/** Tell those who listen; nothing is seen. What is told again, or where the element just came to, is a change as well. */
export function announce(text) {
  const live = onTop("live");
  live.textContent = "";
  setTimeout(() => (live.textContent = text), TOLD_AFTER);
}

/** Show a note for a while. */
export function toast(text, kind = "") {
  const note = document.createElement("p");
  note.className = `toast ${kind}`;
  note.textContent = text;
  onTop("toasts").append(note);
  setTimeout(() => note.remove(), kind === "bad" ? 9000 : 5000);
}

/** Run what a user asked for; what goes wrong is shown. */
export async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    toast(error.message, "bad");
    return undefined;
  }
}

/** Whether keys belong to a field, so that they are no commands. */
export function isTyping(event) {
  return event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input, textarea, select") !== null;
}

/** A function that runs once its calls have paused. */
export function paused(work, pause = 150) {
  let timer;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...given), pause);
  };
}

/** What is shown instead of content: a title, a text, and what can be done. */
export function message(title, text, action = null) {
  return html`<section class="message"><h2>${title}</h2><p>${text}</p>${action}</section>`;
}
