// Filters made quicker: the price slider, long facets looked through while typing, and on a phone the sheet.

import { addressOf, show } from "./listing.js";
import { gettext, ngettext } from "./words.js";

const isNarrow = matchMedia("(width < 60em)");
const form = () => document.getElementById("filter-form");
const folded = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

// Calls `act` once `wait` ms have passed without another call; `act` gets a signal that the next call aborts.
function settled(wait, act) {
  let timer, running;
  return (...given) => {
    clearTimeout(timer);
    running?.abort();
    running = new AbortController();
    const { signal } = running;
    timer = setTimeout(() => act(signal, ...given).catch((error) => {
      if (error.name !== "AbortError") console.warn(error);
    }), wait);
  };
}

// -- the price slider: two thumbs over the histogram, whose places are evenly spaced under its bars --

function makeSlider(box) {
  const edges = JSON.parse(box.dataset.edges);
  const [low, high] = box.querySelectorAll("[type=range]");
  const [least, most] = box.querySelectorAll("[type=number]");
  const bars = [...box.querySelectorAll("rect")];
  const last = edges.length - 1;
  const { lang } = document.documentElement;
  const currency = box.dataset.currency;
  const price = new Intl.NumberFormat(lang, currency ? { style: "currency", currency } : {});
  const placeOf = (amount) => Math.max(0, edges.findLastIndex((edge) => edge <= amount));
  const say = () => {
    for (const thumb of [low, high]) thumb.setAttribute("aria-valuetext", price.format(edges[thumb.value]));
    bars.forEach((bar, at) => {
      const width = last / bars.length;
      bar.classList.toggle("inside", at * width < +high.value + 0.01 && (at + 1) * width > +low.value);
    });
    // The upper thumb lies above the lower one but where both are at the end.
    low.classList.toggle("over", +low.value === last);
  };
  const release = settled(250, async (signal, thumb) => {
    focusedThumb = document.activeElement === thumb ? thumb.id : "";
    least.dispatchEvent(new Event("change", { bubbles: true }));
  });
  for (const thumb of [low, high]) {
    Object.assign(thumb, { min: 0, max: last, step: 1 });
    thumb.addEventListener("input", () => {
      if (+low.value > +high.value) thumb.value = thumb === low ? high.value : low.value;
      least.value = +low.value ? edges[low.value] : "";
      most.value = +high.value < last ? edges[high.value] : "";
      say();
    });
    // A key is a release each time: the search waits until they have settled.
    thumb.addEventListener("change", (event) => {
      event.stopPropagation();
      release(thumb);
    });
  }
  const place = () => {
    low.value = least.value ? placeOf(+least.value) : 0;
    high.value = most.value ? placeOf(+most.value) : last;
    say();
  };
  for (const field of [least, most]) field.addEventListener("input", place);
  box.form?.addEventListener("reset", () => setTimeout(place));
  place();
  box.querySelector(".slider").hidden = false;
}

let focusedThumb = "";
function ready() {
  document.querySelectorAll("[data-edges]:has(.slider[hidden])").forEach(makeSlider);
  if (focusedThumb) document.getElementById(focusedThumb)?.focus({ preventScroll: true });
  focusedThumb = "";
}

// -- long facets --

function lookThrough(box, text) {
  const wanted = folded(text.trim());
  const more = box.querySelector(".more");
  const ticks = [...box.querySelectorAll(".tick")];
  const holds = (tick) => folded(tick.querySelector(".name").textContent).includes(wanted);
  ticks.forEach((tick) => (tick.hidden = !holds(tick)));
  if (more) more.open = Boolean(wanted) || more.querySelector(":checked") !== null;
  box.querySelector(".none").hidden = ticks.some((tick) => !tick.hidden);
}

const ask = settled(250, async (signal, field) => {
  const name = field.closest("[data-facet]").dataset.facet;
  const page = new DOMParser().parseFromString(await (await fetch(addressOf(field.form), { signal })).text(), "text/html");
  const fresh = page.querySelector(`[data-facet="${CSS.escape(name)}"] .values`);
  if (fresh) field.closest("[data-facet]").querySelector(".values").replaceWith(fresh);
});

document.addEventListener("input", (event) => {
  const field = event.target;
  if (field.matches(".find")) {
    const box = field.closest("[data-facet]");
    if ("whole" in box.dataset) lookThrough(box, field.value);
    else ask(field);
  } else if (sheet.open && field.form === form()) count();
});

// What was typed has been looked for already: leaving the field is no reason to fetch the page.
document.addEventListener("change", (event) => event.target.matches(".find") && event.stopPropagation(), true);

// -- on a phone: a sheet with the form in it; without a script, the address #filters shows the form where it stands --

const sheet = document.createElement("dialog");
sheet.className = "filters sheet";
sheet.setAttribute("aria-labelledby", "filters-title");
document.body.append(sheet);

const count = settled(150, async (signal) => {
  const asked = new URL(addressOf(form()), location.href);
  const group = asked.pathname.match(/^\/clusters\/(\d+)$/);
  if (group) asked.searchParams.set("cluster", group[1]);
  for (const [name, value] of [["per_page", 1], ["facets", "none"], ["fold", 1]]) asked.searchParams.set(name, value);
  const response = await fetch(`/api/v1/search${asked.search}`, { signal });
  if (response.ok) say(await response.json());
});

function say({ total }) {
  const button = form().querySelector(".filters-foot .button");
  const said = form().querySelector("[data-said]");
  said.textContent = total ? ngettext("%(count)s product", "%(count)s products", total) : gettext("No product passes all of these.");
  said.classList.toggle("unseen", total > 0);
  button.textContent = total ? ngettext("Show %(count)s result", "Show %(count)s results", total) : gettext("See what to change");
}

let isLeaving = false; // for other results

function open() {
  const filters = document.getElementById("filters");
  if (sheet.open || !filters) return;
  sheet.append(form());
  sheet.showModal();
  sheet.querySelector("[data-close]").focus();
  count();
}

// Back closes the sheet, for it is a step of its own; closing it otherwise takes that step back.
document.addEventListener("click", (event) => {
  if (event.target.closest(".filters-open") && isNarrow.matches) {
    event.preventDefault();
    history.pushState({ sheet: true }, "", "#filters");
    open();
  } else if (event.target.closest("[data-close]") && sheet.open) {
    event.preventDefault();
    sheet.close();
  }
});
sheet.addEventListener("close", () => {
  const filters = document.getElementById("filters");
  // A fresh page has a form of its own; otherwise what was ticked but not asked for is forgotten.
  if (sheet.firstChild && !filters.firstElementChild) {
    filters.append(sheet.firstChild);
    form().reset();
  }
  sheet.replaceChildren();
  if (isLeaving) return;
  document.querySelector(".filters-open").focus({ preventScroll: true });
  if (history.state?.sheet) history.back();
});
addEventListener("popstate", () => sheet.close());
isNarrow.addEventListener("change", () => sheet.open && sheet.close());

// What the sheet asks for takes its step's place.
document.addEventListener(
  "submit",
  (event) => {
    if (!sheet.open || event.target !== form()) return;
    event.preventDefault();
    event.stopPropagation();
    leave(addressOf(form()));
  },
  true,
);
document.addEventListener(
  "click",
  (event) => {
    const link = event.target.closest("dialog.sheet a[data-swap]");
    if (!link) return;
    event.preventDefault();
    event.stopPropagation();
    leave(link.getAttribute("href"));
  },
  true,
);
async function leave(address) {
  history.replaceState(null, "", address);
  isLeaving = true;
  sheet.close();
  await show(address, { remembers: false });
  isLeaving = false;
  document.getElementById("results")?.focus();
}

document.addEventListener("results:shown", ready);
ready();
if (location.hash === "#filters" && isNarrow.matches) {
  if (!history.state?.sheet) {
    history.replaceState(null, "", location.pathname + location.search);
    history.pushState({ sheet: true }, "", "#filters");
  }
  open();
}
