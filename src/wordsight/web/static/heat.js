// Heat maps: values of the service become colours here, so that sliders answer at once.

import { withParams } from "./api.js";

const SIDE = 480; // pixels of the drawn map's longer side
const FAINTEST = 0.3; // alpha of what just reaches the threshold
// Some of matplotlib's inferno (CC0), from dark to bright; two maps at once have a hue each.
const INFERNO = ["#000004", "#210c4a", "#57106e", "#8a226a", "#bc3754", "#e45a31", "#f98e09", "#f9cb35", "#fcffa4"];
const HUES = [["#7a2f00", "#ff7a1a", "#ffd0a0"], ["#00306e", "#2f8cff", "#b5dcff"]];

const known = new Map();

/** The values of a map, as `{width, height, values}` with bytes from 0 to 255; the last ones are remembered. */
export function valuesOf(sha256, params) {
  const address = withParams(`/api/pictures/${sha256}/map.png`, { ...params, colours: "values" });
  if (!known.has(address)) {
    known.set(address, fetched(address));
    known.get(address).catch(() => known.delete(address));
    if (known.size > 24) known.delete(known.keys().next().value);
  }
  return known.get(address);
}

async function fetched(address) {
  const response = await fetch(address);
  if (!response.ok) throw new Error((await response.json().catch(() => ({}))).detail ?? "There is no map.");
  const bitmap = await createImageBitmap(await response.blob());
  const scale = SIDE / Math.max(bitmap.width, bitmap.height);
  const canvas = new OffscreenCanvas(Math.round(bitmap.width * scale), Math.round(bitmap.height * scale));
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  const values = Uint8Array.from({ length: data.length / 4 }, (_, at) => data[4 * at]);
  return { width: canvas.width, height: canvas.height, values };
}

/** Draw one map, or two over each other, where they reach `threshold` (a share of the highest value). */
export function draw(canvas, maps, threshold) {
  const { width, height } = maps[0];
  Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const tables = maps.length > 1 ? HUES.map(table) : [table(INFERNO)];
  const highest = maps.map(({ values }) => values.reduce((most, one) => Math.max(most, one), 1));
  for (let at = 0; at < width * height; at++) {
    const shares = maps.map(({ values }, which) => values[at] / highest[which]);
    const which = shares.length > 1 && shares[1] > shares[0] ? 1 : 0;
    const share = shares[which];
    if (share < threshold || share === 0) continue;
    const [red, green, blue] = tables[which][Math.round(share * 255)];
    image.data.set([red, green, blue, 255 * (FAINTEST + (1 - FAINTEST) * share)], 4 * at);
  }
  context.putImageData(image, 0, 0);
}

/** 256 colours between some. */
function table(stops) {
  const colours = stops.map((stop) => [1, 3, 5].map((at) => Number.parseInt(stop.slice(at, at + 2), 16)));
  return Array.from({ length: 256 }, (_, at) => {
    const exact = (at / 255) * (colours.length - 1);
    const low = Math.min(Math.floor(exact), colours.length - 2);
    return colours[low].map((value, channel) => Math.round(value + (exact - low) * (colours[low + 1][channel] - value)));
  });
}
