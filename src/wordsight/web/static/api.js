// Questions to the service. Errors are `Problem`s with the words the service found for them.

export class Problem extends Error {
  constructor(status, { detail, position = null, near = null }) {
    super(detail);
    this.status = status;
    this.position = position;
    this.near = near;
  }
}

export const get = (path, params, signal) => ask(withParams(path, params), { signal });
export const post = (path, body) => ask(path, asJson("POST", body));
export const put = (path, body) => ask(path, asJson("PUT", body));
export const remove = (path, params) => ask(withParams(path, params), { method: "DELETE" });
export const upload = (file) => ask("/api/uploads", { method: "POST", body: file });

/** The address of a picture as WebP, at most `side` pixels long. */
export const thumbnail = (sha256, side) => `/api/pictures/${sha256}/thumbnail?side=${side}`;

/** Pixels of this screen to one of the page's; more than two are not seen. */
export const screenScale = () => Math.min(devicePixelRatio, 2);

/** The smallest thumbnail that fills so many pixels of this screen. */
export function thumbnailFor(sha256, pixels) {
  const needed = pixels * screenScale() * 0.9;
  return thumbnail(sha256, [160, 320, 640, 1280].find((side) => side >= needed) ?? 2560);
}

function asJson(method, body) {
  return { method, body: JSON.stringify(body), headers: { "content-type": "application/json" } };
}

export function withParams(path, params) {
  const words = new URLSearchParams(params ?? {}).toString();
  return words ? `${path}?${words}` : path;
}

async function ask(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, { detail: "The service does not answer. Is “wordsight serve” still running?" });
  }
  if (response.ok) return response.status === 204 ? null : response.json();
  const told = await response.json().catch(() => ({}));
  throw new Problem(response.status, { ...told, detail: told.detail ?? `The service answered ${response.status}.` });
}
