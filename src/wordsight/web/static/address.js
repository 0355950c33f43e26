// The state of the page is its address: read it, write it, go to another one.

const LISTS = ["folder", "type", "liked", "disliked", "why"];
const TEXTS = ["q", "encoder", "since", "until", "camera", "sort", "all", "view", "photo", "method", "opacity", "threshold"];
const ASKED = ["q", "encoder", "folder", "since", "until", "camera", "type", "sort", "liked", "disliked"];

/** The state an address holds: a text for each member, or a list of texts. */
export function read(search = location.search) {
  const params = new URLSearchParams(search);
  return {
    ...Object.fromEntries(TEXTS.map((name) => [name, params.get(name) ?? ""])),
    ...Object.fromEntries(LISTS.map((name) => [name, params.getAll(name)])),
  };
}

/** The address of a state on the search page. */
export function write(state) {
  const words = params(state, [...TEXTS, ...LISTS]).toString();
  return words ? `/?${words}` : "/";
}

/** The address of what is seen, with some members changed. */
export function changed(change) {
  return write({ ...read(), ...change });
}

/** The parameters of the search that a state asks for; equal texts mean equal answers. */
export function searchOf(state) {
  return params(state, ASKED);
}

/** Go to a state: with `replace`, "back" does not return to the one before. */
export function go(change, { replace = false } = {}) {
  visit(location.pathname === "/" ? changed(change) : write({ ...read(""), ...change }), { replace });
}

/** Go to an address of this page. */
export function visit(address, { replace = false } = {}) {
  if (address !== location.pathname + location.search) {
    if (replace) history.replaceState(history.state, "", address);
    else history.pushState({ from: write(read()) }, "", address); // where "back" leads to
  }
  dispatchEvent(new Event("navigate"));
}

function params(state, names) {
  const found = new URLSearchParams();
  for (const name of names) {
    for (const value of [state[name]].flat()) {
      if (value) found.append(name, value);
    }
  }
  return found;
}
