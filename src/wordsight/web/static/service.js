// What the service is: asked once.

import { get } from "./api.js";
import { name } from "./format.js";

let asked = null;
let known = [];
let folders = [];
let status = null;

/** The encoders, the default first. */
export function encoders() {
  asked ??= get("/api/encoders").then((found) => (known = found)).catch(() => ((asked = null), []));
  return asked;
}

/** Whether the photos are those of a store, which is not brought up to date from the page; draws when that is known. */
export function isStore(draw) {
  if (status === null) get("/api/status").then((found) => ((status = found), draw())).catch(() => {});
  return status?.store ?? false;
}

/** Ask for the folders that are served, then draw: paths are shown as they lie in them. */
export function loadFolders(draw) {
  if (folders.length) return;
  get("/api/status").then((status) => ((folders = status.folders), draw())).catch(() => {}); // whole paths serve as well
}

/** A path within its photo folder; with several folders, the folder's name leads. */
export function within(path) {
  const root = folders.filter((folder) => path.startsWith(folder) && /[/\\]/.test(path[folder.length])).sort((a, b) => b.length - a.length)[0];
  if (!root) return path;
  const inner = path.slice(root.length + 1);
  return folders.length > 1 ? `${name(root)}${path[root.length]}${inner}` : inner;
}

/** Those that are known by now. */
export const knownEncoders = () => known;

/** The encoder of a state. */
export const encoderOf = (state) => known.find((one) => one.name === state.encoder) ?? known[0] ?? null;
