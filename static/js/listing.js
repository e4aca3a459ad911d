// Filters, sort and chips without a page jump: the same addresses as without JavaScript, fetched and swapped in place.

const REGION = "[data-region=results]";
const isWide = () => matchMedia("(width >= 60em)").matches;
let request;

// The address that sending a form of filters leads to: empty fields and the usual order are left out.
export function addressOf(form) {
  const pairs = [...new FormData(form)].filter(([, value]) => value !== "");
  const kept = pairs.filter(([name, value]) => !(name === "sort" && value === "relevance"));
  const query = new URLSearchParams(kept);
  return query.size ? `${form.getAttribute("action")}?${query}` : form.getAttribute("action");
}

// How to find the focused control again after the swap: its id, or its name and value, or its words.
function finder(element) {
  if (!element || !element.closest(REGION)) return () => null;
  const { tagName, id, name, value } = element;
  const words = element.textContent;
  return (region) => {
    if (id) return document.getElementById(id);
    const same = [...region.querySelectorAll(tagName)].filter((other) => (name ? other.name === name : other.textContent === words));
    return same.find((other) => other.type !== "checkbox" || other.value === value) ?? null;
  };
}

// Shows an address in place; `remembers` makes it a step that Back undoes. Tells the document "results:shown" after.
export async function show(address, { remembers = true } = {}) {
  const region = document.querySelector(REGION);
  request?.abort();
  request = new AbortController();
  const { signal } = request;
  const opened = [...region.querySelectorAll("details[open]")].map((details) => legendOf(details));
  const refocus = finder(document.activeElement);
  region.querySelector(".listing")?.setAttribute("aria-busy", "true");
  try {
    const response = await fetch(address, { signal });
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const fresh = page.querySelector(REGION);
    if (!response.ok || !fresh) return location.assign(address);
    region.replaceChildren(...fresh.childNodes);
    region.querySelectorAll("details").forEach((details) => (details.open = opened.includes(legendOf(details))));
    refocus(region)?.focus({ preventScroll: true });
    document.title = page.title;
    if (remembers) history.pushState({ swapped: true }, "", address);
    document.dispatchEvent(new CustomEvent("results:shown", { detail: { address } }));
  } catch (error) {
    if (error.name !== "AbortError") location.assign(address);
  }
}

const legendOf = (details) => details.closest("fieldset")?.querySelector("legend")?.textContent;

document.addEventListener("change", (event) => {
  const form = event.target.form;
  if (!form?.matches("[data-filters]")) return;
  // On a phone the filters are a sheet with its own button; only the sort, outside of it, acts at once.
  if (isWide() || event.target.name === "sort") show(addressOf(form));
});

document.addEventListener("submit", (event) => {
  if (!event.target.matches("[data-filters]")) return;
  event.preventDefault();
  show(addressOf(event.target));
});

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-swap]");
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  if (!document.querySelector(REGION)) return;
  event.preventDefault();
  show(link.getAttribute("href"));
});

addEventListener("popstate", () => {
  if (document.querySelector(REGION) && !location.hash) show(location.pathname + location.search, { remembers: false });
});
