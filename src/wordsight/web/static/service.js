// What the service is: asked once.

import { get } from "./api.js";

let asked = null;
let known = [];

/** The encoders, the default first. */
export function encoders() {
  asked ??= get("/api/encoders").then((found) => (known = found)).catch(() => ((asked = null), []));
  return asked;
}

/** Those that are known by now. */
export const knownEncoders = () => known;

/** The encoder of a state. */
export const encoderOf = (state) => known.find((one) => one.name === state.encoder) ?? known[0] ?? null;
