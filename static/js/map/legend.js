// Colors and what they mean: a list whose entries light their dots.

import { numberText } from "../words.js";

const STEPS = 7; // colors of a sequence
const HUES = 9;

// "#rrggbb" or any other CSS color as the number whose bytes a canvas stores: 0xAABBGGRR.
const scratch = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
export function packed(color) {
  scratch.fillStyle = color;
  scratch.fillRect(0, 0, 1, 1);
  const [red, green, blue] = scratch.getImageData(0, 0, 1, 1).data;
  return (0xff000000 | (blue << 16) | (green << 8) | red) >>> 0;
}

export class Legend {
  constructor(list, clusters, onChange) {
    this.list = list;
    this.places = new Map(clusters.map((cluster) => [cluster.id, cluster]));
    this.onChange = onChange;
    this.chosen = new Set();
    list.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) this.#toggle(button);
    });
  }

  // color: as in /api/v1/map; style: of the element that has the palette.
  show(color, style) {
    if (this.color !== color) this.chosen.clear();
    this.color = color;
    this.paints = this.#paints(color, style);
    this.list.replaceChildren(
      ...color.legend.map((entry) => {
        const button = document.createElement("button");
        button.type = "button";
        button.dataset.code = entry.code;
        button.setAttribute("aria-pressed", String(this.chosen.has(entry.code)));
        const swatch = document.createElement("span");
        swatch.className = "dot";
        swatch.style.setProperty("--dot", this.paints.get(entry.code));
        const name = document.createElement("span");
        name.textContent = entry.label;
        const count = document.createElement("span");
        count.className = "count";
        button.append(swatch, name, " ", count);
        const item = document.createElement("li");
        item.append(button);
        return item;
      }),
    );
  }

  // Counts the products of each color among the lit dots, given by color and by product, or all when codes is null.
  count(codes, products) {
    const lit = new Map(this.color.legend.map((entry) => [entry.code, new Set()]));
    codes?.forEach((code, place) => lit.get(code)?.add(products[place]));
    for (const entry of this.color.legend) {
      const button = this.list.querySelector(`[data-code="${entry.code}"]`);
      const count = codes ? lit.get(entry.code).size : entry.products;
      button.querySelector(".count").textContent = numberText(count);
      button.classList.toggle("empty", count === 0);
    }
  }

  // By code, 256 of them.
  get colors() {
    const colors = new Uint32Array(256);
    for (const [code, paint] of this.paints) colors[code] = packed(paint);
    return colors;
  }

  #toggle(button) {
    const code = Number(button.dataset.code);
    if (!this.chosen.delete(code)) this.chosen.add(code);
    button.setAttribute("aria-pressed", String(this.chosen.has(code)));
    this.onChange();
  }

  #paints(color, style) {
    const named = (name) => style.getPropertyValue(`--map-${name}`).trim();
    const entries = color.legend.filter((entry) => entry.code && !entry.is_other);
    const paints = new Map();
    if (color.kind === "numbers") {
      const spread = (place) => Math.round((place * (STEPS - 1)) / Math.max(1, entries.length - 1));
      entries.forEach((entry, place) => paints.set(entry.code, named(`step-${spread(place) + 1}`)));
    } else {
      const hues = color.kind === "clusters" ? this.#apart(entries) : entries.map((_, place) => place);
      entries.forEach((entry, place) => paints.set(entry.code, named(`hue-${(hues[place] % HUES) + 1}`)));
    }
    for (const entry of color.legend) if (!paints.has(entry.code)) paints.set(entry.code, named(entry.code ? "other" : "unknown"));
    return paints;
  }

  // Hues of groups, the largest first: of those used least, the one whose nearest group of that hue is farthest away.
  #apart(entries) {
    const members = Array.from({ length: HUES }, () => []);
    return entries.map((entry) => {
      const { x, y } = this.places.get(entry.cluster);
      const fewest = Math.min(...members.map((group) => group.length));
      const away = (group) => Math.min(Infinity, ...group.map((other) => Math.hypot(other.x - x, other.y - y)));
      let best = -1;
      members.forEach((group, hue) => {
        if (group.length === fewest && (best < 0 || away(group) > away(members[best]))) best = hue;
      });
      members[best].push({ x, y });
      return best;
    });
  }
}
