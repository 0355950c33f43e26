// Rows of pictures that fill a width at about one height. Pictures can be added at any time: only the last row, while it
// is not full, is laid anew. (flickr/justified-layout lays out everything at once and copies all boxes for each row.)

const NARROWEST = 0.45;
const WIDEST = 3.2;

/** About how high rows of photos are on a page so wide. */
export const rowHeight = (width = innerWidth) => (width < 600 ? 130 : 210);

export class Rows {
  /** `width` to fill, `height` of rows about, `gap` between pictures: pixels. */
  constructor(width, height, gap) {
    Object.assign(this, { width, target: height, gap, boxes: [], rows: [] });
  }

  /** Height of everything. */
  get height() {
    const last = this.rows.at(-1);
    return last ? last.y + last.height : 0;
  }

  /** Add pictures by their width over height. */
  append(ratios) {
    const last = this.rows.at(-1);
    const open = last && !last.full ? this.rows.pop() : null;
    const first = open ? open.first : this.boxes.length;
    const waiting = this.boxes.splice(first).map((box) => box.ratio).concat(ratios.map(clamped));
    let start = 0;
    for (let end = 1; end <= waiting.length; end++) {
      const cut = this.#cut(waiting, start, end);
      if (cut === null) continue;
      this.#row(first + start, waiting.slice(start, cut), true);
      start = cut;
      end = cut;
    }
    if (start < waiting.length) this.#row(first + start, waiting.slice(start), false);
  }

  /** Begin a new row for what comes next, below a heading of `height` pixels; returns the heading's place. */
  heading(height) {
    const last = this.rows.at(-1);
    if (last) last.full = true;
    const y = last ? this.height + this.gap : 0;
    this.rows.push({ y, height, first: this.boxes.length, end: this.boxes.length, full: true });
    return y;
  }

  /** Places [first, end) of the pictures whose rows touch the pixels from `top` to `bottom`. */
  within(top, bottom) {
    const from = this.#rowAt(top);
    let to = from;
    while (to < this.rows.length && this.rows[to].y < bottom) to++;
    return to > from ? [this.rows[from].first, this.rows[to - 1].end] : [0, 0];
  }

  /** The picture above (`step` -1) or below (1) another one, the closest sideways; itself at the edge. */
  beside(place, step) {
    const box = this.boxes[place];
    let at = this.#rowAt(box.y + 0.5) + step;
    while (this.rows[at] && this.rows[at].first === this.rows[at].end) at += step;
    const row = this.rows[at];
    if (!row) return place;
    const middle = box.x + box.width / 2;
    const away = (index) => Math.abs(this.boxes[index].x + this.boxes[index].width / 2 - middle);
    let best = row.first;
    for (let index = row.first; index < row.end; index++) if (away(index) < away(best)) best = index;
    return best;
  }

  /** Where the row from `start` ends, if the pictures up to `end` are enough for one: with or without the last. */
  #cut(ratios, start, end) {
    const tall = this.#heightOf(ratios.slice(start, end));
    if (tall > this.target) return null;
    const taller = end - start > 1 ? this.#heightOf(ratios.slice(start, end - 1)) : Infinity;
    return taller / this.target < this.target / tall ? end - 1 : end;
  }

  #heightOf(ratios) {
    const wide = ratios.reduce((sum, ratio) => sum + ratio, 0);
    return (this.width - this.gap * (ratios.length - 1)) / wide;
  }

  #row(first, ratios, full) {
    const y = this.rows.length ? this.height + this.gap : 0;
    const height = full ? this.#heightOf(ratios) : Math.min(this.target, this.#heightOf(ratios));
    let x = 0;
    for (const ratio of ratios) {
      this.boxes.push({ x, y, width: ratio * height, height, ratio });
      x += ratio * height + this.gap;
    }
    this.rows.push({ y, height, first, end: first + ratios.length, full });
  }

  /** The first row that ends below `y`. */
  #rowAt(y) {
    let low = 0;
    let high = this.rows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.rows[middle].y + this.rows[middle].height < y) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function clamped(ratio) {
  return Math.min(WIDEST, Math.max(NARROWEST, ratio || 1));
}
