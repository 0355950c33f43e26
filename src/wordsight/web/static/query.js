// Queries are written here and read by the service alone, which tells their terms: {text | picture, weight}.

const PLAIN = /^[\p{L}][\p{L}\p{M}\p{N}'’,.!?-]*( [\p{L}\p{M}\p{N}][\p{L}\p{M}\p{N}'’,.!?-]*)*$/u;

/** A query that has these terms. */
export function format(terms) {
  return terms.map(formatTerm).join(" ").replace(/^\+ /, "");
}

function formatTerm({ text, picture, weight }) {
  const size = Math.abs(weight) === 1 ? "" : `${Number(Math.abs(weight).toPrecision(6))}:`;
  return `${weight < 0 ? "-" : "+"} ${size}${picture ? `picture:${picture}` : quoted(text)}`;
}

function quoted(text) {
  return PLAIN.test(text) ? text : `"${text.replaceAll('"', '""')}"`;
}

/** The first text that is looked for: what a picture is explained with unless told. */
export function firstText(terms) {
  return terms.find((term) => term.text && term.weight > 0)?.text ?? "";
}

/** A query as it is shown: pictures by the first digits of their names. */
export function shown(q) {
  return q.replace(/picture:([0-9a-f]{12})[0-9a-f]{52}/gi, "picture:$1");
}

/** What was typed, with the names of the pictures in `before` whole again. */
export function expanded(typed, before) {
  const known = before.match(/picture:[0-9a-f]{64}/gi) ?? [];
  return typed.replace(/picture:[0-9a-f]{12}(?![0-9a-f])/gi, (short) => known.find((whole) => whole.startsWith(short)) ?? short);
}
