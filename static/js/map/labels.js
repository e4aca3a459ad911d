// Names of groups on the map, as links: those at the top when far, those within when near, never one over another.

const NEAR = 2.2; // zoom from which the groups within are named
const GAP = 6; // CSS pixels between two labels
const STEP = 1.15; // which labels have room is decided anew each time the zoom changes by this factor
const EDGE = 4;
const ABOVE = 10; // a label stands this far above the dot in its middle, which can thus be pointed at

const collides = (one, other) =>
  one.left < other.right + GAP && other.left < one.right + GAP && one.top < other.bottom + GAP && other.top < one.bottom + GAP;

export class Labels {
  // clusters: as in /api/v1/map, parents before their children, largest first.
  constructor(layer, clusters) {
    this.layer = layer;
    this.labels = clusters.filter(({ count }) => count).map((cluster) => this.#label(cluster, clusters));
    this.chosen = new Map();
  }

  #label(cluster, clusters) {
    const link = document.createElement("a");
    link.href = `/clusters/${cluster.id}`;
    link.textContent = cluster.label;
    link.draggable = false;
    link.hidden = true;
    const isTop = cluster.parent === null;
    link.className = isTop ? "top-label" : "label";
    const hasChildren = clusters.some((other) => other.parent === cluster.id);
    const unit = (at) => ((at + 1) / 2) * 65535;
    return { link, count: cluster.count, x: unit(cluster.x), y: unit(cluster.y), isFar: isTop, isNear: !(isTop && hasChildren) };
  }

  // Sizes are taken once, with all labels shown at a time.
  #measure() {
    this.layer.replaceChildren(...this.labels.map(({ link }) => link));
    this.labels.forEach(({ link }) => (link.hidden = false));
    for (const label of this.labels) [label.width, label.height] = [label.link.offsetWidth, label.link.offsetHeight];
    this.labels.forEach(({ link }) => (link.hidden = true));
    this.isMeasured = true;
    this.chosen.clear();
  }

  // Fonts or the width of the screen changed.
  forget() {
    this.isMeasured = false;
  }

  // The labels with room for each other at a scale, wherever they are: panning changes nothing, so nothing flickers.
  #roomFor(isNear, scale) {
    const key = `${isNear} ${scale}`;
    if (!this.chosen.has(key)) {
      const placed = [];
      const candidates = this.labels.filter((label) => (isNear ? label.isNear : label.isFar));
      for (const label of candidates.sort((one, other) => other.count - one.count)) {
        const box = boxAt(label, label.x * scale, above(label, label.y * scale));
        if (!placed.some((other) => collides(box, other.box))) placed.push({ label, box });
      }
      this.chosen.set(key, placed.map(({ label }) => label));
    }
    return this.chosen.get(key);
  }

  // Shows the labels of a view, none over the controls (a box). At the edge a label moves inside, if it has room there, rather than being cut.
  place(view, controls) {
    if (!this.isMeasured) this.#measure();
    const isNear = view.zoom >= NEAR;
    // Rounded down: the closer one gets within a step, the farther labels lie apart.
    const scale = STEP ** Math.floor(Math.log(view.scale) / Math.log(STEP) + 1e-9);
    const shown = new Map();
    for (const label of this.#roomFor(isNear, scale)) {
      const [x, dotY] = view.screen(label.x, label.y);
      if (x < 0 || dotY < 0 || x > view.width || dotY > view.height) continue;
      const y = above(label, dotY);
      const inside = boxAt(label, inner(x, label.width, view.width), inner(y, label.height, view.height));
      const boxes = [controls, ...shown.values()];
      const box = boxes.some((other) => collides(inside, other)) ? boxAt(label, x, y) : inside;
      if (!boxes.some((other) => collides(box, other))) shown.set(label, box);
    }
    for (const label of this.labels) {
      const box = shown.get(label);
      const isHidden = !box && document.activeElement !== label.link;
      if (label.link.hidden !== isHidden) label.link.hidden = isHidden;
      if (box) label.link.style.transform = `translate(${Math.round(box.left)}px, ${Math.round(box.top)}px)`;
    }
  }
}

const above = ({ height }, y) => y - ABOVE - height / 2;

const inner = (middle, size, room) =>
  size + 2 * EDGE > room ? middle : Math.min(room - EDGE - size / 2, Math.max(EDGE + size / 2, middle));

function boxAt({ width, height }, x, y) {
  return { left: x - width / 2, right: x + width / 2, top: y - height / 2, bottom: y + height / 2 };
}
