// What part of the map is seen: a middle in map units (0..65535) and a scale, CSS pixels per unit.

const PADDING = 56; // CSS pixels left free around what is framed, for its labels
const TIGHT_PADDING = 28; // on a phone
const FLIGHT_MS = 420;

export class View {
  constructor(onChange) {
    this.onChange = onChange;
    this.width = this.height = 1;
    [this.x, this.y, this.scale] = [32768, 32768, 0.01];
  }

  // box: of all dots; crowd: how many there are, which says how far zooming in is worth while.
  limit(box, crowd) {
    this.all = box;
    this.deepest = Math.max(6, Math.sqrt(crowd) * 1.2);
  }

  resize(width, height) {
    [this.width, this.height] = [width, height];
  }

  get left() {
    return this.x - this.width / 2 / this.scale;
  }

  get top() {
    return this.y - this.height / 2 / this.scale;
  }

  // How many times closer than the view of everything.
  get zoom() {
    return this.scale / this.#framing(this.all).scale;
  }

  screen(x, y) {
    return [(x - this.left) * this.scale, (y - this.top) * this.scale];
  }

  units(screenX, screenY) {
    return [this.left + screenX / this.scale, this.top + screenY / this.scale];
  }

  #framing({ left, top, right, bottom }) {
    const padding = this.width < 600 ? TIGHT_PADDING : PADDING;
    const across = (this.width - 2 * padding) / Math.max(right - left, 1);
    const down = (this.height - 2 * padding) / Math.max(bottom - top, 1);
    return { x: (left + right) / 2, y: (top + bottom) / 2, scale: Math.min(across, down, 2) };
  }

  #bounded({ x, y, scale }) {
    const whole = this.#framing(this.all);
    const { left, top, right, bottom } = this.all;
    return {
      x: Math.min(right, Math.max(left, x)),
      y: Math.min(bottom, Math.max(top, y)),
      scale: Math.min(whole.scale * this.deepest, Math.max(whole.scale * 0.75, scale)),
    };
  }

  set(target) {
    cancelAnimationFrame(this.flight);
    Object.assign(this, this.#bounded({ x: this.x, y: this.y, scale: this.scale, ...target }));
    this.onChange();
  }

  frame(box, options) {
    this.fly(this.#framing(box), options);
  }

  reset(options) {
    this.frame(this.all, options);
  }

  pan(screenX, screenY) {
    this.set({ x: this.x - screenX / this.scale, y: this.y - screenY / this.scale });
  }

  // Zooms so that what is under (screenX, screenY) stays there.
  zoomed(factor, screenX, screenY) {
    const [x, y] = this.units(screenX, screenY);
    const { scale } = this.#bounded({ x: this.x, y: this.y, scale: this.scale * factor });
    return { x: x - (screenX - this.width / 2) / scale, y: y - (screenY - this.height / 2) / scale, scale };
  }

  // Goes there within a moment, or at once where motion is not wanted. Zooming is even in its logarithm.
  fly(target, { jumps = false } = {}) {
    cancelAnimationFrame(this.flight);
    const end = this.#bounded(target);
    if (jumps || matchMedia("(prefers-reduced-motion: reduce)").matches) return this.set(end);
    const { x, y, scale } = this;
    const began = performance.now();
    const step = (now) => {
      const passed = Math.min(1, Math.max(0, (now - began) / FLIGHT_MS));
      const eased = 1 - (1 - passed) ** 3;
      const between = scale * (end.scale / scale) ** eased;
      // The middle moves as far as the zoom has come, so that the place aimed at stays put on the screen.
      const moved = Math.abs(end.scale / scale - 1) < 1e-3 ? eased : (1 / scale - 1 / between) / (1 / scale - 1 / end.scale);
      Object.assign(this, { x: x + (end.x - x) * moved, y: y + (end.y - y) * moved, scale: between });
      this.onChange();
      if (passed < 1) this.flight = requestAnimationFrame(step);
    };
    this.flight = requestAnimationFrame(step);
  }
}
