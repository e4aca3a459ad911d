// The map of the catalog. The page around it works by itself; this draws the dots and answers pointer and keyboard.

import { Card, Facts, saidOf } from "./map/card.js";
import { Dots, Painter } from "./map/dots.js";
import { Labels } from "./map/labels.js";
import { Legend, packed } from "./map/legend.js";
import { Pictures } from "./map/pictures.js";
import { onPointers } from "./map/pointers.js";
import { View } from "./map/view.js";

const MAX_RATIO = 2; // canvas pixels in a CSS pixel, even on screens that have more
const SLOW_MS = 24; // a picture that takes longer to paint is painted coarser
const HOVER_REACH = 14; // CSS pixels from a dot that still mean it
const TOUCH_REACH = 26;
const PICTURE_REACH = 30; // half of a picture
const NEIGHBORS = 8; // asked about together with the dot that is meant
const MOST_RADIUS = 9;

const json = async (address) => {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${address}: ${response.status}`);
  return response.json();
};

const TYPES = { uint8: Uint8Array, uint16: Uint16Array };
async function column({ url, type }) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  return new TYPES[type](await response.arrayBuffer());
}

class CatalogMap {
  constructor(root, meta, positions) {
    const part = (name) => root.querySelector(`[data-${name}]`);
    this.root = root;
    this.meta = meta;
    this.stage = part("stage");
    this.canvas = this.stage.querySelector("canvas");
    this.said = part("said");
    this.dots = new Dots(positions);
    this.placeOf = new Uint32Array(this.dots.count);
    this.dots.rows.forEach((row, place) => (this.placeOf[row] = place));
    this.everyPlace = Uint32Array.from(this.dots.rows.keys());
    this.painter = new Painter(this.canvas, this.dots);
    this.labels = new Labels(part("labels"), meta.clusters);
    this.card = new Card(part("card"), this.stage);
    this.facts = new Facts(meta.links.points, () => location.reload());
    this.pictures = new Pictures(part("pictures"), this.dots, this.facts);
    this.legend = new Legend(part("legend"), meta.clusters, () => this.#shine());
    this.codes = new Map(); // name of a color -> by place
    this.meant = -1; // the place the card is about
    this.lit = null; // places a search found, null when there is no search
    this.litProducts = null;
    this.view = new View(() => this.invalidate());
    this.view.limit(this.dots.box(this.everyPlace), this.dots.count);
  }

  async start() {
    await this.#colorBy(new URLSearchParams(location.search).get("color"));
    this.#fit();
    this.view.reset({ jumps: true });
    const kept = history.state?.map; // on the way back from a product, or after a reload
    if (kept) this.view.set(kept);
    this.root.querySelector("[data-wait]").remove();
    this.root.querySelector("[data-groups]").open = false;
    this.root.dataset.ready = "";
    this.#listen();
    await this.#light(!kept);
  }

  // -- drawing --

  invalidate() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.#draw();
    });
  }

  #draw() {
    const { view, painter } = this;
    const began = performance.now();
    painter.paint(view, { ...this.look, radius: this.radius });
    this.#coarsenIfSlow(performance.now() - began);
    if (this.meant >= 0) {
      const [x, y] = view.screen(this.dots.x[this.meant], this.dots.y[this.meant]);
      painter.ring(x, y, this.radius + 4, this.ink, this.paper);
    }
    this.labels.place(view, this.controls);
    this.pictures.place(view, this.look.bright, (place) => this.legend.paints.get(this.look.codes[place]));
    this.canvas.dataset.first ??= Math.round(performance.now()); // ms since the page was asked for
    this.canvas.dataset.drawn = Number(this.canvas.dataset.drawn ?? 0) + 1;
    clearTimeout(this.settling);
    this.settling = setTimeout(() => this.#remember(), 300);
  }

  // Dots are small when there are many on a screen, and grow as one comes closer.
  get radius() {
    const room = Math.sqrt((this.view.width * this.view.height) / this.dots.count);
    const far = Math.min(5, Math.max(1.3, room * 0.15));
    return Math.min(MOST_RADIUS, far * Math.max(1, this.view.zoom) ** 0.45);
  }

  #coarsenIfSlow(took) {
    this.slow = took > SLOW_MS ? (this.slow ?? 0) + 1 : 0;
    if (this.slow < 3 || this.painter.ratio <= 1) return;
    this.slow = 0;
    this.mostRatio = 1;
    this.#fit();
  }

  #fit() {
    const { clientWidth, clientHeight } = this.stage;
    this.painter.resize(clientWidth, clientHeight, Math.min(devicePixelRatio, this.mostRatio ?? MAX_RATIO));
    this.view.resize(clientWidth, clientHeight);
    this.labels.forget();
    const { offsetLeft: left, offsetTop: top, offsetWidth, offsetHeight } = this.stage.querySelector(".map-zoom");
    this.controls = { left, top, right: left + offsetWidth, bottom: top + offsetHeight };
    this.invalidate();
  }

  #remember() {
    const { x, y, scale } = this.view;
    const address = new URL(location.href);
    address.searchParams.delete("color");
    if (this.color.name !== "cluster") address.searchParams.set("color", this.color.name);
    history.replaceState({ ...history.state, map: { x, y, scale } }, "", address);
  }

  // -- what the dots look like --

  async #colorBy(name) {
    const color = this.meta.colors.find((one) => one.name === name) ?? this.meta.colors[0];
    if (!this.codes.has(color.name)) {
      const byRow = await column(color);
      this.codes.set(color.name, Uint8Array.from(this.dots.rows, (row) => byRow[row]));
    }
    this.color = color;
    this.select.value = color.name;
    this.#paint();
  }

  get select() {
    const select = this.root.querySelector("[data-color]");
    if (!select.options.length) select.append(...this.meta.colors.map((one) => new Option(one.label, one.name)));
    return select;
  }

  #paint() {
    const style = getComputedStyle(this.root);
    const named = (name) => style.getPropertyValue(name).trim();
    [this.ink, this.paper] = [named("--ink"), named("--map-ground")];
    this.legend.show(this.color, style);
    this.look = {
      ground: packed(this.paper),
      dim: packed(named("--map-dim")),
      colors: this.legend.colors,
      codes: this.codes.get(this.color.name),
      bright: null,
    };
    this.#shine();
  }

  // Bright are the dots that were searched for and that the legend's chosen entries are about.
  #shine() {
    const { chosen } = this.legend;
    const codes = this.look.codes;
    this.look.bright = null;
    this.stage.classList.toggle("has-light", this.lit !== null || chosen.size > 0);
    this.legend.count(this.lit && Array.from(this.lit, (place) => codes[place]), this.litProducts);
    if (this.lit || chosen.size) {
      const bright = new Uint8Array(this.dots.count);
      for (const place of this.lit ?? this.everyPlace) bright[place] = !chosen.size || chosen.has(codes[place]) ? 1 : 0;
      this.look.bright = bright;
    }
    this.invalidate();
  }

  // -- searching --

  // Lights what the page's own answer is about; called again whenever the answer is swapped.
  async #light(frames = true) {
    const answer = this.root.querySelector(".atlas-found");
    const { lit: address, q } = answer.dataset;
    document.querySelector("#map-q").value = q;
    const asked = (this.asked = address);
    const found = address ? await json(address) : null;
    if (asked !== this.asked) return; // a later search was faster
    if (found && found.release !== this.meta.release) return location.reload();
    // The encoder has come up since the page was made: both are to tell the better answer.
    if (found && !found.degraded && "degraded" in answer.dataset) return location.reload();
    this.lit = found && Uint32Array.from(found.points, (row) => this.placeOf[row]);
    this.litProducts = found && (found.products ?? found.points); // of each lit dot
    this.canvas.dataset.lit = found ? found.total : "";
    this.#mean(-1);
    this.#shine();
    if (found) this.#say(`${found.points.length.toLocaleString("en-US")} of ${this.dots.count.toLocaleString("en-US")} dots are lit`);
    if (frames && found?.total) this.#show("framed" in answer.dataset);
  }

  // Brings lit dots into view: all of a group, or any when none is seen.
  #show(isWanted) {
    const { view, dots } = this;
    const isSeen = (place) => {
      const [x, y] = view.screen(dots.x[place], dots.y[place]);
      return x > 0 && y > 0 && x < view.width && y < view.height;
    };
    if (isWanted) view.frame(dots.box(this.lit, 0.02));
    else if (!this.lit.some(isSeen)) view.reset();
  }

  // -- pointing at dots --

  placeAt(screenX, screenY, reach) {
    const [x, y] = this.view.units(screenX, screenY);
    const least = Math.max(reach, this.radius, this.pictures.shown.size ? PICTURE_REACH : 0);
    return this.dots.nearest(x, y, least / this.view.scale, this.look.bright);
  }

  // Shows the card of a place, -1 for none.
  async #mean(place, { isPinned = false, isSaid = false } = {}) {
    if (place === this.meant && !isSaid) {
      if (isPinned && this.card.isShown) this.card.element.classList.add("pinned");
      return;
    }
    this.meant = place;
    this.invalidate();
    this.stage.classList.toggle("on-dot", place >= 0);
    if (place < 0) return this.card.hide();
    try {
      const [point] = await this.facts.of([place, ...this.#around(place)].map((one) => this.dots.rows[one]));
      if (place !== this.meant) return;
      const [x, y] = this.view.screen(this.dots.x[place], this.dots.y[place]);
      this.card.show(point, x, y, this.pictures.shown.has(place) ? PICTURE_REACH + 8 : this.radius + 12, isPinned);
      if (isSaid) this.#say(saidOf(point));
    } catch {
      this.card.hide(); // the network is gone; the dots stay
    }
  }

  // A few places around one, which the pointer may be at next.
  #around(place) {
    const found = [];
    const { x, y } = this.dots;
    const reach = 40 / this.view.scale;
    this.dots.runs(x[place] - reach, y[place] - reach, x[place] + reach, y[place] + reach, (start, end) => {
      for (let other = start; other < end && found.length < 400; other++) found.push(other);
    });
    const away = (other) => (x[other] - x[place]) ** 2 + (y[other] - y[place]) ** 2;
    return found.filter((other) => other !== place).sort((one, other) => away(one) - away(other)).slice(0, NEIGHBORS);
  }

  async #open(place) {
    const [point] = await this.facts.of([this.dots.rows[place]]);
    this.#remember();
    location.assign(point.url);
  }

  #say(text) {
    this.said.textContent = text;
  }

  // -- pointer, keyboard, controls --

  #listen() {
    const isMoved = () => this.#mean(-1);
    onPointers(this.stage, {
      pan: (x, y) => (isMoved(), this.view.pan(x, y)),
      zoom: (factor, x, y) => (isMoved(), this.view.set(this.view.zoomed(factor, x, y))),
      hover: (x, y) => this.#mean(this.placeAt(x, y, HOVER_REACH)),
      leave: isMoved,
      click: (x, y) => {
        const place = this.placeAt(x, y, HOVER_REACH);
        if (place >= 0) this.#open(place);
      },
      tap: (x, y) => {
        const place = this.placeAt(x, y, TOUCH_REACH);
        if (place >= 0 && place === this.meant) this.#open(place);
        else this.#mean(place, { isPinned: true });
      },
      double: (x, y) => this.view.fly(this.view.zoomed(2.2, x, y)),
    });
    this.canvas.addEventListener("keydown", (event) => this.#key(event));
    this.canvas.addEventListener("focus", () => this.canvas.matches(":focus-visible") && this.#meanTheMiddle());
    this.canvas.addEventListener("blur", ({ relatedTarget }) => this.card.element.contains(relatedTarget) || isMoved());
    this.stage.addEventListener("click", ({ target }) => {
      const { zoom } = target.closest("button")?.dataset ?? {};
      if (zoom === "reset") this.view.reset();
      else if (zoom) this.#zoomBy(zoom === "in" ? 1.8 : 1 / 1.8);
    });
    this.root.querySelector("[data-color]").addEventListener("change", (event) => this.#colorBy(event.target.value));
    new ResizeObserver(() => this.#fit()).observe(this.stage);
    for (const query of ["(prefers-color-scheme: dark)", "(prefers-contrast: more)"])
      matchMedia(query).addEventListener("change", () => this.#paint());
    // listing.js swaps the answer in place, after a search and on the way back.
    new MutationObserver(() => this.#light().catch(() => {})).observe(this.root.querySelector("[data-region]"), { childList: true });
  }

  #zoomBy(factor) {
    this.#mean(-1);
    this.view.fly(this.view.zoomed(factor, this.view.width / 2, this.view.height / 2));
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    const middle = [this.view.width / 2, this.view.height / 2];
    if (step) this.view.pan((step[0] * this.view.width) / 8, (step[1] * this.view.height) / 8);
    else if (event.key === "+" || event.key === "=") this.view.set(this.view.zoomed(1.35, ...middle));
    else if (event.key === "-") this.view.set(this.view.zoomed(1 / 1.35, ...middle));
    else if (event.key === "0") this.view.reset({ jumps: true });
    else if (event.key === "Enter" && this.meant >= 0) this.#open(this.meant);
    else if (event.key === "Escape") this.#mean(-1);
    else return;
    event.preventDefault();
    if (event.key !== "Enter" && event.key !== "Escape") this.#meanTheMiddle();
  }

  // The dot nearest to the middle of what is seen, bright ones first: what the keyboard is at.
  #meanTheMiddle() {
    const { width, height } = this.view;
    this.#mean(this.placeAt(width / 2, height / 2, Math.hypot(width, height) / 2), { isPinned: true, isSaid: true });
  }
}

async function start(root) {
  const meta = await json(root.dataset.map);
  await new CatalogMap(root, meta, await column(meta.positions)).start();
}

const root = document.querySelector("[data-map]");
// Without its data there is no map; the table says the same.
if (root) {
  start(root).catch((error) => {
    console.warn("the map is not drawn:", error);
    root.querySelector(".atlas-map").hidden = true;
    root.dataset.ready = "";
  });
}
