// Close up, dots become pictures of their products, as links, wherever there is room for one.

const SIZE = 60; // CSS pixels; as in map.css
const ROOM = SIZE + 6;
const MOST_IN_VIEW = 120; // dots in view beyond which they stay dots
const MOST = 48;
const STILL_MS = 160; // how long the map must rest before pictures are fetched

export class Pictures {
  constructor(layer, dots, facts) {
    Object.assign(this, { layer, dots, facts });
    this.shown = new Map(); // place -> link, in the order in which they were given room
    this.bare = new Set(); // places of products without a picture
  }

  // paint: place -> CSS color of its rim; called for every frame.
  place(view, bright, paint) {
    const seen = this.#seen(view, bright);
    const inView = new Set(seen);
    const kept = [];
    for (const [place, link] of this.shown) {
      const at = view.screen(this.dots.x[place], this.dots.y[place]);
      if (!inView.has(place) || !hasRoom(at, kept)) {
        link.remove();
        this.shown.delete(place);
        continue;
      }
      kept.push(at);
      link.style.transform = `translate(${Math.round(at[0] - SIZE / 2)}px, ${Math.round(at[1] - SIZE / 2)}px)`;
      link.style.setProperty("--dot", paint(place));
    }
    clearTimeout(this.waiting);
    if (seen.length) this.waiting = setTimeout(() => this.#add(view, seen, kept), STILL_MS);
  }

  // Places in view that may have a picture; none when there are too many.
  #seen(view, bright) {
    const found = [];
    this.dots.runs(view.left, view.top, view.left + view.width / view.scale, view.top + view.height / view.scale, (start, end) => {
      for (let place = start; place < end && found.length <= MOST_IN_VIEW; place++) {
        const [x, y] = view.screen(this.dots.x[place], this.dots.y[place]);
        const isInside = x > 0 && y > 0 && x < view.width && y < view.height;
        if (isInside && (!bright || bright[place]) && !this.bare.has(place)) found.push(place);
      }
    });
    return found.length <= MOST_IN_VIEW && view.zoom > 1.5 ? found : [];
  }

  async #add(view, seen, taken) {
    const wanted = [];
    for (const place of seen) {
      if (this.shown.has(place) || taken.length >= MOST) continue;
      const at = view.screen(this.dots.x[place], this.dots.y[place]);
      if (!hasRoom(at, taken)) continue;
      taken.push(at);
      wanted.push(place);
    }
    if (!wanted.length) return;
    const points = await this.facts.of(wanted.map((place) => this.dots.rows[place])).catch(() => []);
    points.forEach((point, index) => {
      const place = wanted[index];
      if (!point?.picture.url) this.bare.add(place);
      else if (!this.shown.has(place)) this.shown.set(place, this.#link(point, place));
    });
    if (points.length) view.onChange(); // puts each in its place, or takes it away again if the view has moved on
  }

  #link(point, place) {
    const link = document.createElement("a");
    link.href = point.url;
    link.setAttribute("aria-label", point.title);
    link.className = "map-picture";
    const image = new Image(SIZE, SIZE);
    Object.assign(image, { alt: "", referrerPolicy: "no-referrer", decoding: "async", src: point.picture.url });
    image.addEventListener("error", () => {
      this.bare.add(place);
      this.shown.delete(place);
      link.remove();
    });
    link.append(image);
    this.layer.append(link);
    return link;
  }
}

const hasRoom = ([x, y], taken) => !taken.some(([left, top]) => Math.abs(left - x) < ROOM && Math.abs(top - y) < ROOM);
