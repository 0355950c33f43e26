// The hits of one search, fetched page by page as they are needed.

import { get, post, screenScale } from "./api.js";
import { rowHeight } from "./layout.js";

const FIRST = 60;
const NEXT = 250;
const LONG = 4000; // characters of an address: beyond, the same is posted
const KEPT = 8;
const NUMBERS = ["limit", "row"];
const LISTS = ["folder", "type", "liked", "disliked"];

const known = new Map();

/** The results of a search: those from before, with where they were left, if it was asked lately. */
export function resultsOf(params) {
  const key = params.toString();
  const results = known.get(key) ?? new Results(params);
  known.delete(key);
  if (!results.error) known.set(key, results);
  if (known.size > KEPT) known.delete(known.keys().next().value);
  return results;
}

/** Forget what was found: the catalogue has changed. */
export function forget() {
  known.clear();
}

export class Results extends EventTarget {
  hits = [];
  answer = null; // of the first page: what is said of the whole
  error = null;
  loading = false;
  scroll = 0; // where the page was left

  #params;
  #cursor = null;

  constructor(params) {
    super();
    this.#params = params;
  }

  get done() {
    return this.error !== null || (this.answer !== null && this.#cursor === null);
  }

  /** Fetch one more page, unless one is on its way or there is none. */
  async more() {
    if (this.loading || this.done) return;
    this.loading = true;
    try {
      const answer = await this.#page();
      performance.mark("answer", { detail: this.hits.length });
      this.#take(answer);
    } catch (error) {
      this.error = error;
    }
    this.loading = false;
    this.dispatchEvent(new Event("change"));
  }

  #page() {
    const params = new URLSearchParams(this.#params);
    params.set("limit", this.answer ? NEXT : FIRST);
    if (!this.answer) params.set("row", Math.round(rowHeight() * screenScale()));
    if (this.#cursor) params.set("cursor", this.#cursor);
    return params.toString().length < LONG ? get("/api/search", params) : post("/api/search", asBody(params));
  }

  #take(answer) {
    this.answer ??= answer;
    this.hits.push(...answer.hits);
    this.#cursor = answer.cursor;
  }
}

function asBody(params) {
  const body = {};
  for (const [name, value] of params) {
    if (LISTS.includes(name)) (body[name] ??= []).push(value);
    else body[name] = NUMBERS.includes(name) ? Number(value) : value;
  }
  return body;
}
