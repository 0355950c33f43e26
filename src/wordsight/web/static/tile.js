// One hit in a grid: its picture, what is known of it, and thumbs.

import { changed } from "./address.js";
import { name, percent, score, spoken } from "./format.js";
import { iconElement } from "./icons.js";

/** The element of a hit. `mark` says what was said of it, `release` ends it and what it loads. */
export function tile(hit, source, { first = false } = {}) {
  const fetchPriority = first ? "high" : "auto";
  const picture = make("img", { alt: "", fetchPriority, src: source, decoding: "sync", draggable: false });
  const link = make("a", { href: changed({ photo: hit.sha256 }), ariaLabel: spoken(hit), className: "photo" }, picture);
  link.setAttribute("aria-keyshortcuts", "Enter U D W");
  const element = make("div", { className: "tile", role: "listitem" }, link, caption(hit));
  const thumbs = { up: thumb(element, hit, "up"), down: thumb(element, hit, "down") };
  element.append(make("div", { className: "thumbs" }, thumbs.up, thumbs.down));
  picture.addEventListener("load", () => element.classList.add("loaded"));
  picture.addEventListener("error", () => element.classList.add("broken"));
  element.mark = (grade) => {
    element.dataset.mark = grade;
    for (const [which, button] of Object.entries(thumbs)) button.setAttribute("aria-pressed", which === grade);
  };
  element.release = () => {
    picture.removeAttribute("src"); // what is scrolled past need not be fetched
    element.remove();
  };
  return element;
}

function caption(hit) {
  const parts = [make("span", { className: "name", textContent: name(hit.path) })];
  if (hit.match !== null) parts.unshift(make("b", { textContent: percent(hit.match), title: "Match estimate" }));
  if (hit.query) parts.push(make("span", { className: "score", textContent: score(hit.score), title: "Score" }));
  const element = make("div", { className: "caption" }, ...parts);
  element.setAttribute("aria-hidden", "true"); // the link's label says the same
  return element;
}

function thumb(element, hit, which) {
  const words = which === "up" ? "More like this" : "Not this";
  const button = make("button", { type: "button", tabIndex: -1, title: `${words} (${which[0]})`, className: which });
  button.setAttribute("aria-label", `${words}: ${name(hit.path)}`);
  button.append(iconElement(which));
  button.addEventListener("click", () => {
    const detail = { hit, grade: which === "up" ? 1 : 0 };
    element.dispatchEvent(new CustomEvent("mark", { detail, bubbles: true }));
  });
  return button;
}

function make(tag, members, ...children) {
  const element = Object.assign(document.createElement(tag), members);
  element.append(...children);
  return element;
}
