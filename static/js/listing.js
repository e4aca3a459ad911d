// A list of results in place: the same addresses as without JavaScript, fetched, and swapped or joined to what is there.
// Nothing listens here: results.js and filters.js both import this module, and it runs once.

import { gettext, ngettext } from "./words.js";

const REGION = "[data-region=results]";
const SLOW_MS = 300; // until a wait is shown
const SAID_MS = 100; // a screen reader hears a change of a text, not one that comes with the focus
let request; // the one under way: the next one ends it, so that an old answer never overwrites a new one

export const region = () => document.querySelector(REGION);

// The address that sending a form of filters leads to: empty fields and the usual order are left out.
export function addressOf(form) {
  const pairs = [...new FormData(form)].filter(([, value]) => value !== "");
  const kept = pairs.filter(([name, value]) => !(name === "sort" && value === "relevance"));
  const query = new URLSearchParams(kept);
  return query.size ? `${form.getAttribute("action")}?${query}` : form.getAttribute("action");
}

// How to find the focused control again after the swap: its id, its name and value, or its words; else the results.
function finder(element) {
  if (!element || !element.closest(REGION)) return () => null;
  const { tagName, id, name, value } = element;
  const words = element.textContent;
  return (fresh) => {
    if (id) return document.getElementById(id);
    const same = [...fresh.querySelectorAll(tagName)].filter((other) => (name ? other.name === name : other.textContent === words));
    return same.find((other) => other.type !== "checkbox" || other.value === value) ?? fresh.querySelector("#results");
  };
}

const legendOf = (details) => details.closest("fieldset")?.querySelector("legend")?.textContent;

const status = document.createElement("p");
status.className = "unseen";
status.setAttribute("role", "status");
document.body.append(status);

// Tells a screen reader. The element outlives every swap: one that comes with its text is not read out.
function say(text) {
  setTimeout(() => (status.textContent = text), SAID_MS);
}

// Fetches an address and gives its document to `use`, unless a later request was made meanwhile; tells whether it was
// used. Once it has taken long `wait` is called, and what that returns when the wait is over.
async function answer(address, use, wait) {
  request?.abort();
  const own = (request = new AbortController());
  const listing = region().querySelector(".listing");
  listing?.setAttribute("aria-busy", "true");
  const done = () => {
    clearTimeout(timer);
    over?.();
  };
  let over;
  const timer = setTimeout(() => {
    over = wait(listing);
    say(gettext("Loading"));
  }, SLOW_MS);
  try {
    const response = await fetch(address, { signal: own.signal });
    const text = await response.text();
    done();
    const page = new DOMParser().parseFromString(text, "text/html");
    const fresh = page.querySelector(REGION);
    if (!response.ok || !fresh) return location.assign(address);
    use(fresh, page);
    document.dispatchEvent(new CustomEvent("results:shown", { detail: { address } }));
    return true;
  } catch (error) {
    done();
    if (error.name !== "AbortError") location.assign(address);
  } finally {
    if (request === own) listing?.removeAttribute("aria-busy");
  }
}

// Shows an address in place; `remembers` makes it a step that Back undoes, `y` is where to scroll to then.
// "results:shown" is dispatched on the document after this and after `more`.
export async function show(address, { remembers = true, y } = {}) {
  const old = region();
  const opened = [...document.querySelectorAll("[data-region] details[open]")].map((details) => legendOf(details));
  old.querySelector(".listing")?.classList.add("leaving");
  const isShown = await answer(
    address,
    (fresh, page) => {
      const refocus = finder(document.activeElement);
      if (remembers) {
        history.replaceState({ ...history.state, y: scrollY }, "");
        history.pushState(null, "", address);
      }
      old.replaceChildren(...fresh.childNodes);
      // On the map its table is a second part that goes with the results.
      document.querySelectorAll("[data-region=groups]").forEach((table) =>
        table.replaceChildren(...page.querySelector("[data-region=groups]").childNodes));
      document.querySelectorAll("[data-region] details").forEach((details) => (details.open = opened.includes(legendOf(details))));
      refocus(old)?.focus({ preventScroll: true });
      document.title = page.title;
      say((old.querySelector(".total") ?? old.querySelector("h1"))?.textContent ?? "");
    },
    (listing) => {
      listing?.classList.add("slow");
      return () => listing?.classList.remove("slow");
    },
  );
  if (isShown && y !== undefined) scrollTo({ top: y, behavior: "instant" }); // after all that listened has its size
}

// What stands in for cards to come, as tall as those that are there.
function skeletons(cards, count) {
  const heights = [...cards.children].map((card) => card.offsetHeight).sort((one, other) => one - other);
  return Array.from({ length: count }, () => {
    const card = document.createElement("div");
    card.className = "card skeleton";
    card.setAttribute("aria-hidden", "true");
    card.style.blockSize = `${heights[heights.length >> 1]}px`;
    card.append(...["picture", "bar", "bar"].map((name) => Object.assign(document.createElement("span"), { className: name })));
    return card;
  });
}

// Joins the next page's cards to those shown; the address says which pages are seen, so that a reload shows them all.
export async function more(link) {
  if (region().querySelector(".listing").ariaBusy === "true") return; // what is under way decides what the next page is
  const { more: next, count, most } = link.dataset;
  const joined = new URL(link.href);
  const first = Number(joined.searchParams.get("from"));
  joined.hash = "";
  return answer(
    next,
    (fresh) => {
      const cards = region().querySelector(".cards");
      const foot = fresh.querySelector(".listing-foot");
      if (!foot) return location.assign(joined);
      // A new release may have come meanwhile, in which a product that is shown has another place.
      const shown = new Set([...cards.children].map((card) => card.dataset.key));
      const fresher = [...fresh.querySelectorAll(".cards > *")].filter((card) => !shown.has(card.dataset.key));
      fresher.forEach((card) => {
        card.removeAttribute("id");
        card.classList.add("arriving");
        card.querySelectorAll("img").forEach((image) => (image.loading = "lazy"));
      });
      const onwards = foot.querySelector("[data-more]");
      if (onwards) {
        const address = new URL(onwards.href, location);
        const isFull = Number(address.searchParams.get("page")) - first >= most;
        address.searchParams.set("from", first);
        onwards.href = isFull ? onwards.dataset.more : address;
        if (isFull) delete onwards.dataset.more;
      }
      cards.append(...fresher);
      region().querySelector(".listing-foot").replaceWith(foot);
      region().querySelector(".total")?.replaceWith(fresh.querySelector(".total"));
      history.replaceState(history.state, "", joined);
      fresher[0]?.querySelector(".card-title a").focus({ preventScroll: true });
      say(ngettext("%(count)s more product", "%(count)s more products", fresher.length));
    },
    (listing) => {
      const stand = skeletons(listing.querySelector(".cards"), Number(count));
      listing.querySelector(".cards").append(...stand);
      return () => stand.forEach((card) => card.remove());
    },
  );
}
