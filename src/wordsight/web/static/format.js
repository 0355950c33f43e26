// Numbers, dates and names as people read them.

const whole = new Intl.NumberFormat("en");
const day = new Intl.DateTimeFormat("en", { dateStyle: "medium" });
const moment = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "short" });

export const count = (number) => whole.format(number);
export const photos = (number) => `${count(number)} ${number === 1 ? "photo" : "photos"}`;
export const percent = (share) => `${Math.round(share * 100)} %`;
export const score = (number) => number.toFixed(3);
export const ms = (number) => `${number < 10 ? number.toFixed(1) : Math.round(number)} ms`;
export const name = (path) => path.split(/[/\\]/).pop();
export const folder = (path) => path.slice(0, Math.max(1, path.length - name(path).length - 1));
export const short = (digits) => digits.slice(0, 12);

export function bytes(number) {
  const step = Math.max(0, Math.min(4, Math.floor(Math.log10(Math.max(number, 1)) / 3)));
  const value = number / 1000 ** step;
  return `${value.toFixed(step && value < 10 ? 1 : 0)} ${["B", "kB", "MB", "GB", "TB"][step]}`;
}

/** A camera's local time; photos carry no zone. */
export const taken = (iso) => moment.format(new Date(iso));
export const date = (iso) => day.format(new Date(iso));

/** What is said of a hit to those who cannot see it. */
export function spoken(hit) {
  const parts = [name(hit.path), `place ${hit.rank}`];
  if (hit.match !== null) parts.push(`match ${percent(hit.match)}`);
  if (hit.captured_at) parts.push(`taken ${date(hit.captured_at)}`);
  return parts.join(", ");
}
