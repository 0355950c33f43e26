// Looking closer at the photo in the viewer: wheel, two fingers, double click and "z" enlarge it, dragging moves it, a
// swipe turns.

const MOST = 8;
const STEP = 2.5; // of a double click and of the key
const SWIPE = 60; // pixels

/** Zoom of the element `frame()`; `turn` is called with -1 or 1 after a swipe, `changed` when it is seen larger or smaller. */
export class Zoom {
  scale = 1;
  #x = 0;
  #y = 0;
  #held = new Map(); // pointers that are down, by their ids: where they were last
  #start = null; // where the one began that may become a swipe

  constructor(frame, turn, changed) {
    Object.assign(this, { frame, turn, changed });
  }

  /** What the stage listens to. */
  get listeners() {
    return {
      wheel: (event) => this.#wheel(event),
      dblclick: (event) => event.target.closest(".frame") && this.toggle(event),
      pointerdown: (event) => this.#down(event),
      pointermove: (event) => this.#move(event),
      pointerup: (event) => this.#up(event),
      pointercancel: (event) => this.#released(event),
    };
  }

  /** The whole photo again. */
  reset() {
    this.#show(1, 0, 0);
  }

  /** Closer, at the place of `event` or the middle; or back. */
  toggle(event = null) {
    if (this.scale > 1) this.reset();
    else this.#zoom(STEP, event);
  }

  #zoom(scale, event) {
    const next = Math.min(MOST, Math.max(1, scale));
    const box = this.frame()?.getBoundingClientRect();
    if (!box) return;
    // The place under the pointer stays where it is; the frame is scaled around its middle.
    const [fromX, fromY] = event ? [event.clientX - (box.left + box.width / 2), event.clientY - (box.top + box.height / 2)] : [0, 0];
    const grown = next / this.scale - 1;
    this.#show(next, this.#x - fromX * grown, this.#y - fromY * grown);
  }

  #show(scale, x, y) {
    const frame = this.frame();
    const before = this.scale;
    this.scale = scale;
    const most = frame ? [frame.offsetWidth, frame.offsetHeight].map((side) => (side * (scale - 1)) / 2) : [0, 0];
    [this.#x, this.#y] = [x, y].map((way, axis) => Math.min(most[axis], Math.max(-most[axis], way)));
    if (!frame) return;
    frame.style.transform = scale === 1 ? "" : `translate(${this.#x}px, ${this.#y}px) scale(${scale})`;
    frame.parentElement.classList.toggle("close", scale > 1);
    if (before !== scale) this.changed();
  }

  #wheel(event) {
    event.preventDefault();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    this.#zoom(this.scale * Math.exp(-event.deltaY * lines * 0.002), event);
  }

  #down(event) {
    if (event.button !== 0) return;
    const isCommand = event.target.closest("button"); // may be pressed, and is no place to swipe from
    if (event.isPrimary) this.#held.clear(); // the first: one that was let go elsewhere is down no more
    this.#start = event.isPrimary && !isCommand ? event.clientX : null; // several fingers do not swipe
    this.#held.set(event.pointerId, at(event));
    if (!isCommand && (this.scale > 1 || this.#held.size > 1)) event.currentTarget.setPointerCapture(event.pointerId);
  }

  #move(event) {
    if (!event.buttons) this.#released(event);
    if (!this.#held.has(event.pointerId)) return;
    const before = around([...this.#held.values()]);
    this.#held.set(event.pointerId, at(event));
    const now = around([...this.#held.values()]);
    if (this.scale > 1) this.#show(this.scale, this.#x + now.clientX - before.clientX, this.#y + now.clientY - before.clientY);
    if (before.apart && now.apart) this.#zoom((this.scale * now.apart) / before.apart, now);
  }

  #up(event) {
    if (!this.#released(event) || this.#start === null || this.scale > 1 || event.pointerType !== "touch") return;
    const way = event.clientX - this.#start;
    if (Math.abs(way) > SWIPE) this.turn(way > 0 ? -1 : 1);
  }

  #released(event) {
    return this.#held.delete(event.pointerId);
  }
}

const at = ({ clientX, clientY }) => ({ clientX, clientY });

/** The middle of the pointers that are down, and how far the first two are apart; 0 where there is one. */
function around([first, second = first]) {
  return {
    clientX: (first.clientX + second.clientX) / 2,
    clientY: (first.clientY + second.clientY) / 2,
    apart: Math.hypot(first.clientX - second.clientX, first.clientY - second.clientY),
  };
}
