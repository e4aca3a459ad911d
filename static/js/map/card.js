// What a dot is: asked for a few dots at a time, shown on a card beside the dot.

import { gettext, numberText } from "../words.js";

const ASKED_AT_ONCE = 60;
const KEPT = 2000;

export class Facts {
  constructor(address, onStale) {
    this.address = address;
    this.onStale = onStale; // another release answers by now
    this.known = new Map(); // row -> promise
  }

  // What is known of rows; those not known yet are asked for together.
  of(rows) {
    const missing = rows.filter((row) => !this.known.has(row)).slice(0, ASKED_AT_ONCE);
    if (missing.length) {
      if (this.known.size > KEPT) this.known.clear();
      const answer = this.#ask(missing);
      missing.forEach((row) => this.known.set(row, answer.then((points) => points.get(row))));
      answer.catch(() => missing.forEach((row) => this.known.delete(row)));
    }
    return Promise.all(rows.map((row) => this.known.get(row)));
  }

  async #ask(rows) {
    const response = await fetch(`${this.address}?at=${rows.join(",")}`);
    if (response.status === 404) this.onStale();
    if (!response.ok) throw new Error(`points: ${response.status}`);
    const { points } = await response.json();
    return new Map(points.map((point) => [point.point, point]));
  }
}

export class Card {
  constructor(element, stage) {
    this.element = element;
    this.stage = stage;
    this.part = (name) => element.querySelector(`.map-card-${name}`);
  }

  get isShown() {
    return !this.element.hidden;
  }

  // (x, y): the dot in the stage; gap: how far beside it. isPinned: the card's link can be pressed.
  show(point, x, y, gap, isPinned) {
    if (this.point !== point) this.#fill(point);
    this.element.classList.toggle("pinned", isPinned);
    this.element.hidden = false;
    const { offsetWidth: width, offsetHeight: height } = this.element;
    const { clientWidth, clientHeight } = this.stage;
    const left = x + gap + width < clientWidth ? x + gap : x - gap - width;
    const inside = (at, size, room) => Math.max(8, Math.min(room - size - 8, at));
    // Where neither side has room, as on a phone, it stands above or below.
    const beside = left >= 8;
    const top = beside ? y - height / 2 : y + gap + height < clientHeight ? y + gap : y - gap - height;
    const at = [inside(beside ? left : x - width / 2, width, clientWidth), inside(top, height, clientHeight)];
    this.element.style.transform = `translate(${Math.round(at[0])}px, ${Math.round(at[1])}px)`;
  }

  hide() {
    this.element.hidden = true;
  }

  #fill(point) {
    this.point = point;
    const picture = this.element.querySelector(".picture");
    picture.className = `picture tint-${point.picture.tint}`;
    picture.classList.toggle("photo", Boolean(point.picture.url) && !point.picture.url.startsWith("/illustrations/"));
    picture.querySelector(".letter").textContent = point.picture.letter;
    picture.querySelector("img")?.remove();
    if (point.picture.url) {
      const image = new Image();
      Object.assign(image, { src: point.picture.url, alt: "", referrerPolicy: "no-referrer", decoding: "async" });
      picture.append(image);
    }
    this.part("title").textContent = point.title;
    this.part("title").href = point.url;
    this.part("price").textContent = point.price_text;
    this.part("rating").textContent = point.rating === null ? "" : `★ ${numberText(point.rating)}`;
    this.part("group").textContent = point.cluster.label;
  }
}

// What the card says, in one sentence.
export function saidOf(point) {
  const rated = point.rating === null ? "" : gettext("rated %(rating)s out of 5", { rating: numberText(point.rating) });
  return [point.title, point.price_text, rated, point.cluster.label]
    .filter(Boolean)
    .join(gettext(", "));
}
