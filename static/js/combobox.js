// Suggestions under a search field: the ARIA combobox pattern, list autocomplete with manual selection.
// Focus never leaves the input; nothing is selected until an arrow key says so, so Enter submits what was typed.

const WAIT_MS = 90;
const KINDS = [
  { name: "queries", label: "Searches", icon: "search", most: 5 },
  { name: "categories", label: "Departments", icon: "tag", most: 3 },
  { name: "products", label: "Products", icon: "package", most: 4 },
];
const SHOWN_ON_PHONE = 6;

function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `${document.body.dataset.icons}#${name}`);
  svg.append(use);
  return svg;
}

// What the suggestion adds to what was typed is bold; what was typed is not.
function withAdditionsBold(text, typed) {
  const span = document.createElement("span");
  const start = text.toLocaleLowerCase().indexOf(typed.trim().toLocaleLowerCase());
  if (start < 0 || !typed.trim()) {
    span.textContent = text;
    return span;
  }
  const end = start + typed.trim().length;
  for (const [part, isTyped] of [[text.slice(0, start)], [text.slice(start, end), true], [text.slice(end)]]) {
    if (!part) continue;
    const piece = isTyped ? document.createTextNode(part) : document.createElement("b");
    piece.textContent = part;
    span.append(piece);
  }
  return span;
}

class Combobox {
  constructor(form) {
    this.form = form;
    this.input = form.querySelector("input[name=q]");
    this.options = [];
    this.active = -1;
    this.typed = this.input.value;
    this.list = this.#listbox();
    this.status = this.#status();
    this.#describe();
    this.input.addEventListener("input", () => this.#ask());
    this.input.addEventListener("keydown", (event) => this.#key(event));
    this.input.addEventListener("blur", () => this.close());
    // A press on an option must not take the focus away before the click arrives.
    this.list.addEventListener("pointerdown", (event) => event.preventDefault());
    this.list.addEventListener("click", (event) => {
      const option = event.target.closest("[role=option]");
      if (option) this.#accept(this.options.indexOf(option));
    });
  }

  #listbox() {
    const list = document.createElement("ul");
    list.id = `${this.input.id}-suggestions`;
    list.className = "suggestions";
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", "Suggestions");
    list.hidden = true;
    this.form.append(list);
    return list;
  }

  #status() {
    const status = document.createElement("p");
    status.className = "unseen";
    status.setAttribute("role", "status");
    this.form.append(status);
    return status;
  }

  #describe() {
    const facts = { role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": this.list.id };
    for (const [name, value] of Object.entries(facts)) this.input.setAttribute(name, value);
  }

  #ask() {
    this.typed = this.input.value;
    clearTimeout(this.timer);
    this.request?.abort();
    if (!this.typed.trim() || this.typed.length > 128) return this.close();
    this.timer = setTimeout(() => this.#fetch(), WAIT_MS);
  }

  async #fetch() {
    this.request = new AbortController();
    const asked = this.typed;
    try {
      const response = await fetch(`/api/v1/suggest?${new URLSearchParams({ q: asked })}`, { signal: this.request.signal });
      if (response.ok && asked === this.typed && document.activeElement === this.input) this.#show(await response.json());
    } catch (error) {
      if (error.name !== "AbortError") this.close(); // suggestions are a courtesy: without a network there are none
    }
  }

  #show(found) {
    this.list.replaceChildren();
    this.options = [];
    let room = matchMedia("(width < 48em)").matches ? SHOWN_ON_PHONE : Infinity;
    for (const kind of KINDS) {
      const entries = found[kind.name].slice(0, Math.min(kind.most, room));
      if (!entries.length) continue;
      room -= entries.length;
      const label = document.createElement("li");
      label.setAttribute("role", "presentation");
      label.textContent = kind.label;
      this.list.append(label);
      entries.forEach((entry) => this.list.append(this.#option(kind, entry)));
    }
    if (!this.options.length) return this.close();
    this.#activate(-1);
    this.list.hidden = false;
    this.input.setAttribute("aria-expanded", "true");
    clearTimeout(this.saying);
    const count = this.options.length;
    this.saying = setTimeout(() => {
      this.status.textContent = `${count} suggestion${count === 1 ? "" : "s"}, use the down arrow`;
    }, 700);
  }

  #option(kind, entry) {
    const option = document.createElement("li");
    option.id = `${this.list.id}-${this.options.length}`;
    option.setAttribute("role", "option");
    option.setAttribute("aria-selected", "false");
    option.dataset.text = entry.text;
    option.dataset.url = entry.url;
    option.append(icon(kind.icon), withAdditionsBold(entry.text, this.typed));
    const above = entry.category?.split(" > ").slice(0, -1).join(" › ");
    if (above) {
      const where = document.createElement("span");
      where.className = "where";
      where.textContent = above;
      option.append(where);
    }
    this.options.push(option);
    return option;
  }

  #key(event) {
    const isOpen = !this.list.hidden;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (event.altKey) return event.key === "ArrowUp" ? this.close() : this.#ask();
      if (!isOpen) return this.#ask();
      const step = event.key === "ArrowDown" ? 1 : -1;
      const places = this.options.length + 1; // one place is the input itself
      this.#activate(((this.active + 1 + step + places) % places) - 1);
      this.input.value = this.active < 0 ? this.typed : this.options[this.active].dataset.text;
    } else if (event.key === "Enter" && isOpen && this.active >= 0) {
      event.preventDefault();
      this.#accept(this.active);
    } else if (event.key === "Escape") {
      event.preventDefault();
      if (isOpen) {
        this.input.value = this.typed;
        this.close();
      } else {
        this.input.value = "";
        this.typed = "";
      }
    }
  }

  #activate(place) {
    this.active = place;
    this.options.forEach((option, index) => option.setAttribute("aria-selected", String(index === place)));
    if (place < 0) this.input.removeAttribute("aria-activedescendant");
    else this.input.setAttribute("aria-activedescendant", this.options[place].id);
  }

  #accept(place) {
    this.input.value = this.options[place].dataset.text;
    location.assign(this.options[place].dataset.url);
  }

  close() {
    clearTimeout(this.timer);
    clearTimeout(this.saying);
    this.request?.abort();
    this.list.hidden = true;
    this.active = -1;
    this.status.textContent = "";
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
  }
}

document.querySelectorAll("[data-suggest]").forEach((form) => new Combobox(form));
