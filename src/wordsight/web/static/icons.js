// Drawings of one path each, on a field of 24.

import { html } from "./vendor/lit-html.js";

const circle = (x, y, r) => `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0`;
const THUMB = "M7 11v9H4v-9zM7 11l4-7c1.5 0 2.5 1.2 2.2 2.700L12.7 10H18a2 2 0 0 1 2 2.400l-1.2 6A2 2 0 0 1 16.8 20H7";
const PATHS = {
  search: `${circle(11, 11, 6.5)}M16 16l4.5 4.5`,
  picture: `M4 7.500A2.5 2.5 0 0 1 6.5 5h11A2.5 2.5 0 0 1 20 7.500v9a2.5 2.5 0 0 1-2.5 2.500h-11A2.5 2.5 0 0 1 4 16.500zm.5 9.5 4.5-4.5 3.5 3 3.5-3.5 4 4${circle(9, 9.5, 1.4)}`,
  close: "m6 6 12 12M18 6 6 18",
  up: THUMB,
  down: "M17 13V4h3v9zM17 13l-4 7c-1.5 0-2.5-1.2-2.2-2.700l.5-3.300H6a2 2 0 0 1-2-2.400l1.2-6A2 2 0 0 1 7.2 4H17",
  left: "m15 5-7 7 7 7",
  right: "m9 5 7 7-7 7",
  eye: `M2.5 12C5.5 7 8.7 5 12 5s6.5 2 9.5 7c-3 5-6.2 7-9.5 7s-6.5-2-9.5-7z${circle(12, 12, 3)}`,
  chevron: "m6 9 6 6 6-6",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  clock: `${circle(12, 12, 8.5)}M12 7v5l3.5 2`,
  tag: `M4 12.500V4h8.500l8 8-8.5 8.500z${circle(8.5, 8.5, 1.2)}`,
  star: "m12 4 2.4 5.2 5.6.7-4.1 3.9 1.1 5.6-5-2.8-5 2.8 1.1-5.600L4 9.900l5.6-.700z",
  columns: "M4 5h16v14H4zM12 5v14",
  more: "M4 6h7v5H4zM4 13h7v5H4zM13 6h7v5h-7zM16.5 13v5M14 15.500h5",
};

/** A drawing in a template. */
export const icon = (name) =>
  html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false"><path d=${PATHS[name]} /></svg>`;

/** A drawing as an element. */
export function iconElement(name) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", PATHS[name]);
  element.setAttribute("viewBox", "0 0 24 24");
  element.setAttribute("class", "icon");
  element.setAttribute("aria-hidden", "true");
  element.append(path);
  return element;
}
