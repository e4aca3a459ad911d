// Suggestions under a search field: the ARIA combobox pattern, list autocomplete with manual selection.
// https://www.w3.org/WAI/ARIA/apg/patterns/combobox/ Focus never leaves the input; nothing is selected until an arrow
// key says so, so Enter submits what was typed.

import { forget, forgetAll, recentSearches } from "./recent.js";
import { gettext, ngettext } from "./words.js";

const WAIT_MS = 80; // from the last letter to the question
const SAY_MS = 700; // from the last answer to its announcement
const LONGEST = 128; // characters, the most that the server reads
const HEADER = 80; // CSS pixels that stay free for it
const LEAST = 3; // suggestions that stay however low the screen is
const FIELD = -1; // the place of the input among the options
const LAST = -2; // and of the last of them, while they are not known
const EDITING = new Set(["ArrowLeft", "ArrowRight", "Home", "End", "Backspace", "Delete"]);
const KINDS = [
  { name: "recent", label: gettext("Recent searches"), icon: "clock", wide: 8, narrow: 5 },
  { name: "queries", label: gettext("Searches"), icon: "search", wide: 5, narrow: 3 },
  { name: "categories", label: gettext("Departments"), icon: "tag", wide: 2, narrow: 2 },
  { name: "products", label: gettext("Products"), icon: "package", wide: 3, narrow: 2 },
];

function element(tag, facts = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(facts)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `${document.body.dataset.icons}#${name}`);
  svg.append(use);
  return svg;
}

// What a suggestion adds to the words typed is bold; they are not.
function withAdditionsBold(text, typed) {
  const words = typed.split(/[^\p{L}\p{N}]+/u).filter(Boolean);
  if (!words.length) return element("span", {}, text);
  const pieces = text.split(new RegExp(`(?<![\\p{L}\\p{N}])(${words.join("|")})`, "giu"));
  const dressed = pieces.map((piece, index) => (index % 2 || !piece.trim() ? piece : element("b", {}, piece)));
  return element("span", {}, ...dressed);
}

const isNarrow = () => matchMedia("(width < 48em)").matches;

class Combobox {
  constructor(form) {
    this.form = form;
    this.input = form.querySelector("input[name=q]");
    this.options = []; // elements, in order
    this.active = FIELD;
    this.typed = this.input.value;
    this.answers = new Map(); // what was asked -> its suggestions
    this.#build();
    this.#listen();
  }

  // The erasing button stands next to the listbox, not in it, which may hold nothing but options.
  #build() {
    const id = `${this.input.id}-suggestions`;
    this.note = element("p", { class: "suggest-note" });
    this.list = element("div", { id, role: "listbox", "aria-label": gettext("Suggestions") });
    this.eraser = element("button", { type: "button", class: "suggest-erase" }, gettext("Erase recent searches"));
    this.popup = element("div", { class: "suggestions" }, this.note, this.list, this.eraser);
    this.popup.hidden = true;
    this.status = element("p", { class: "unseen", role: "status" });
    this.input.after(this.popup);
    this.form.append(this.status);
    const facts = { role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": id };
    for (const [name, value] of Object.entries(facts)) this.input.setAttribute(name, value);
  }

  #listen() {
    const { input, form, popup } = this;
    // Not left out while an input method composes: on Android it always does.
    input.addEventListener("input", () => this.#type());
    input.addEventListener("keydown", (event) => this.#key(event));
    input.addEventListener("focus", () => this.#greet());
    input.addEventListener("click", () => this.#greet());
    form.addEventListener("focusout", ({ target, relatedTarget }) => {
      const isLeft = target === input ? !popup.contains(relatedTarget) : popup.contains(target) && relatedTarget !== input;
      if (isLeft) this.#settle();
    });
    form.addEventListener("submit", () => this.#settle());
    // A press on an option must not take the focus away before the click arrives.
    popup.addEventListener("pointerdown", (event) => event.preventDefault());
    popup.addEventListener("click", ({ target }) => {
      const option = target.closest("[role=option]");
      if (option) this.#accept(option);
    });
    this.eraser.addEventListener("click", () => {
      forgetAll();
      input.focus();
      this.#ask();
      this.#say(gettext("Recent searches are erased."));
    });
    form.querySelector(".clear")?.addEventListener("click", () => {
      input.value = "";
      input.dispatchEvent(new Event("input", { bubbles: true }));
      input.focus();
    });
    // The keyboard of a phone comes up after the focus.
    visualViewport?.addEventListener("resize", () => this.isOpen && this.active === FIELD && this.#show(this.found));
  }

  get isOpen() {
    return !this.popup.hidden;
  }

  // -- asking --

  #type() {
    this.typed = this.input.value;
    this.#activate(FIELD);
    this.#stop();
    const asked = this.typed.trim();
    if (!this.asked !== !asked || asked.length > LONGEST) this.close(); // what is shown has nothing to do with it
    if (asked.length <= LONGEST) this.timer = setTimeout(() => this.#ask(), asked ? WAIT_MS : 0);
  }

  // An empty field offers what was looked for before, and the departments.
  #greet() {
    if (this.isOpen) return;
    this.typed = this.input.value;
    if (!this.typed.trim()) this.#ask();
  }

  // Opens the popup with what continues the text; `place`: the option to go to, FIELD or LAST.
  async #ask(place = FIELD) {
    this.#stop();
    const asked = this.typed.trim();
    if (asked.length > LONGEST) return;
    const request = (this.request = new AbortController());
    const found = this.answers.get(asked) ?? (await this.#fetched(asked, request.signal));
    if (request !== this.request || document.activeElement !== this.input) return; // a later question was asked
    this.request = null;
    this.asked = asked;
    if (found) this.answers.set(asked, found);
    this.#show({ ...found, recent: asked ? [] : recentSearches().map((text) => ({ text })) }, place);
    this.#tell();
  }

  async #fetched(asked, signal) {
    try {
      const response = await fetch(`/api/v1/suggest?${new URLSearchParams({ q: asked })}`, { signal });
      return response.ok ? await response.json() : null;
    } catch {
      return null; // suggestions are a courtesy: without a network there are only the recent searches
    }
  }

  #stop() {
    clearTimeout(this.timer);
    clearTimeout(this.saying);
    this.request?.abort();
    this.timer = this.request = null;
  }

  // -- showing --

  #show(found, place = FIELD) {
    this.found = found;
    this.options = [];
    this.begun = found.corrected ?? this.typed;
    this.list.replaceChildren(...KINDS.map((kind) => this.#group(kind, found[kind.name] ?? [])).filter(Boolean));
    if (!this.options.length) return this.#hide();
    this.note.hidden = !found.corrected;
    this.note.textContent = found.corrected ? gettext("Suggestions for %(words)s", { words: found.corrected }) : "";
    this.eraser.hidden = !found.recent?.length;
    this.popup.hidden = false;
    this.input.setAttribute("aria-expanded", "true");
    this.#fit();
    this.#activate(place === LAST ? this.options.length - 1 : Math.min(place, this.options.length - 1));
  }

  #group(kind, entries) {
    const shown = entries.slice(0, isNarrow() ? kind.narrow : kind.wide);
    if (!shown.length) return null;
    const id = `${this.list.id}-${kind.name}`;
    const label = element("div", { id, role: "presentation", class: "suggest-label" }, kind.label);
    return element("div", { role: "group", "aria-labelledby": id }, label, ...shown.map((entry) => this.#option(kind, entry)));
  }

  #option(kind, entry) {
    const id = `${this.list.id}-${this.options.length}`;
    const option = element("div", { id, role: "option", "aria-selected": "false" });
    option.dataset.kind = kind.name;
    option.dataset.text = entry.text;
    option.dataset.url = entry.url ?? "";
    // Pictures are as large as the shop has them: not on a phone, where they would cost more than they help.
    const picture = entry.image_url && !isNarrow();
    const image = { src: entry.image_url, alt: "", width: 40, height: 40, decoding: "async", referrerpolicy: "no-referrer" };
    option.append(picture ? element("span", { class: "picture" }, icon(kind.icon), element("img", image)) : icon(kind.icon));
    option.append(withAdditionsBold(entry.text, this.begun));
    const above = entry.category?.split(" > ").slice(0, -1).join(" › ");
    const aside = above ? gettext("in %(department)s", { department: above }) : entry.price_text;
    if (aside) option.append(" ", element("span", { class: "aside" }, aside));
    this.options.push(option);
    return option;
  }

  // The popup has no scrollbar. Where the screen, or a phone's above its keyboard, ends too early, the page moves up
  // under the header; what is still beyond is left out.
  #fit() {
    const view = visualViewport;
    if (!view || view.scale > 1) return;
    const beyond = () => this.popup.getBoundingClientRect().bottom - view.offsetTop - view.height;
    const room = this.form.getBoundingClientRect().top - HEADER;
    scrollBy({ top: Math.max(0, Math.min(beyond() + 8, room)), behavior: "instant" });
    while (beyond() > 0 && this.options.length > LEAST) {
      const fullest = [...this.list.children].reduce((most, one) => (one.childElementCount < most.childElementCount ? most : one));
      (fullest.childElementCount > 2 ? fullest.lastElementChild : fullest).remove(); // a group has a label
      this.options = [...this.list.querySelectorAll("[role=option]")];
    }
  }

  #activate(place) {
    const isMoved = place !== this.active;
    this.#mark(place);
    this.options[place]?.scrollIntoView({ block: "nearest", behavior: "instant" });
    if (isMoved) this.#write(place === FIELD ? this.typed : this.options[place].dataset.text);
  }

  #mark(place) {
    this.active = place;
    this.options.forEach((option, index) => option.setAttribute("aria-selected", String(index === place)));
    if (place === FIELD) this.input.removeAttribute("aria-activedescendant");
    else this.input.setAttribute("aria-activedescendant", this.options[place].id);
  }

  #write(text) {
    if (this.input.value !== text) this.input.value = text; // also puts the caret at its end
  }

  // -- saying --

  // Once the typing rests, and not over the option that is being read.
  #say(text) {
    clearTimeout(this.saying);
    this.saying = setTimeout(() => this.active === FIELD && (this.status.textContent = text), SAY_MS);
  }

  #tell() {
    const count = this.options.length;
    if (!count) return this.#say(this.typed.trim() ? gettext("No suggestions.") : "");
    const sentences = [
      ngettext("%(count)s suggestion. Press the down arrow to reach it.", "%(count)s suggestions. Press the down arrow to reach them.", count),
    ];
    if (this.found.corrected) sentences.unshift(`${this.note.textContent}.`);
    if (this.found.recent.length) sentences.push(gettext("Delete removes a recent search."));
    this.#say(sentences.join(" "));
  }

  // -- keys --

  #key(event) {
    const { key } = event;
    if (event.isComposing || event.keyCode === 229) return; // the keys belong to the input method
    const option = this.options[this.active];
    const isModified = event.ctrlKey || event.metaKey || event.shiftKey;
    if (option?.dataset.kind === "recent" && key === "Delete" && !isModified && !event.altKey) this.#forget(option);
    else if (EDITING.has(key)) return this.#edit();
    else if (isModified) return; // they select text or belong to the browser
    else if (key === "ArrowDown" || key === "ArrowUp") this.#arrow(key === "ArrowDown" ? 1 : -1, event.altKey);
    else if (event.altKey) return;
    else if (key === "Enter" && option) this.#accept(option);
    else if (key === "Escape" && (this.isOpen || this.input.value)) this.#escape();
    else return;
    event.preventDefault();
  }

  #arrow(step, isAlt) {
    if (isAlt && step < 0) return this.isOpen && this.#escape();
    if (isAlt) return this.isOpen || this.#reopen(FIELD);
    if (!this.isOpen) return this.#reopen(step > 0 ? 0 : LAST);
    if (this.timer || this.request) return this.#ask(step > 0 ? 0 : LAST); // the list is about to change
    const places = this.options.length + 1; // one of them is the input
    this.#activate(((this.active + 1 + step + places) % places) - 1);
  }

  #reopen(place) {
    this.typed = this.input.value;
    this.#ask(place);
  }

  // Keys that edit act on the text in the field, which is then what was typed.
  #edit() {
    if (this.active === FIELD) return;
    this.typed = this.input.value;
    this.#activate(FIELD);
  }

  #escape() {
    if (!this.isOpen) this.typed = "";
    this.close();
    this.#write(this.typed);
  }

  #forget(option) {
    const place = this.active;
    forget(option.dataset.text);
    const recent = this.found.recent.filter(({ text }) => text !== option.dataset.text);
    this.active = FIELD;
    this.#show({ ...this.found, recent }, recent.length ? Math.min(place, recent.length - 1) : FIELD);
    this.#write(this.options[this.active]?.dataset.text ?? this.typed);
  }

  // -- leaving --

  #accept(option) {
    const { kind, text, url } = option.dataset;
    this.#write(text);
    this.#settle();
    // A search is submitted like one that was typed; on the map, a department is shown on the map.
    if (kind === "recent" || kind === "queries") this.form.requestSubmit();
    else location.assign(kind === "categories" ? url.replace("/search", this.form.getAttribute("action")) : url);
  }

  // What the field holds stays in it.
  #settle() {
    this.typed = this.input.value;
    this.close();
  }

  close() {
    this.#stop();
    this.status.textContent = "";
    this.#hide();
  }

  #hide() {
    this.popup.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.#mark(FIELD);
  }
}

document.querySelectorAll("[data-suggest]").forEach((form) => new Combobox(form));
