// Looking closer at the photo in the viewer: wheel, double click and "z" enlarge it, dragging moves it, a swipe turns.

const MOST = 8;
const STEP = 2.5; // of a double click and of the key
const SWIPE = 60; // pixels

/** Zoom of the element `frame()` within `stage`; `turn` is called with -1 or 1 after a swipe, `changed` after a zoom. */
export class Zoom {
  scale = 1;
  #x = 0;
  #y = 0;
  #held = null; // the pointer that is down, and where it was

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
      pointercancel: () => (this.#held = null),
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
    const wasClose = this.scale > 1;
    this.scale = scale;
    const most = frame ? [frame.offsetWidth, frame.offsetHeight].map((side) => (side * (scale - 1)) / 2) : [0, 0];
    [this.#x, this.#y] = [x, y].map((way, axis) => Math.min(most[axis], Math.max(-most[axis], way)));
    if (!frame) return;
    frame.style.transform = scale === 1 ? "" : `translate(${this.#x}px, ${this.#y}px) scale(${scale})`;
    frame.parentElement.classList.toggle("close", scale > 1);
    if (wasClose !== scale > 1) this.changed();
  }

  #wheel(event) {
    event.preventDefault();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    this.#zoom(this.scale * Math.exp(-event.deltaY * lines * 0.002), event);
  }

  #down(event) {
    if (event.button !== 0 || event.target.closest("button")) return;
    this.#held = { x: event.clientX, y: event.clientY, startX: event.clientX };
    if (this.scale > 1) event.currentTarget.setPointerCapture(event.pointerId);
  }

  #move(event) {
    if (!this.#held || this.scale === 1) return;
    this.#show(this.scale, this.#x + event.clientX - this.#held.x, this.#y + event.clientY - this.#held.y);
    Object.assign(this.#held, { x: event.clientX, y: event.clientY });
  }

  #up(event) {
    const way = this.#held && this.scale === 1 && event.pointerType === "touch" ? event.clientX - this.#held.startX : 0;
    this.#held = null;
    if (Math.abs(way) > SWIPE) this.turn(way > 0 ? -1 : 1);
  }
}
