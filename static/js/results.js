// Filters, sort, layout and "show more" without a page jump, and the way back to the same place.

import { addressOf, more, region, show } from "./listing.js";

const isWide = () => matchMedia("(width >= 60em)").matches;

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
  const link = event.target.closest("a");
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  if (!link.closest("[data-region=results]")) return;
  if (link.dataset.more) {
    event.preventDefault();
    more(link);
  } else if ("swap" in link.dataset) {
    event.preventDefault();
    show(link.getAttribute("href"));
  } else if (event.detail === 0) {
    // Followed by keyboard: on the way back the focus is to be where it was, as the page's place is.
    history.replaceState({ ...history.state, left: link.getAttribute("href") }, "");
  }
});

// What is shown; opening and closing the sheet of filters is a step in the history too, but changes nothing.
const here = () => location.pathname + location.search;
let shown = here();
document.addEventListener("results:shown", () => (shown = here()));

addEventListener("popstate", ({ state }) => {
  if (region() && !location.hash && here() !== shown) show(here(), { remembers: false, y: state?.y });
});

const { left } = history.state ?? {};
if (left && performance.getEntriesByType("navigation")[0]?.type === "back_forward")
  region()?.querySelector(`a[href="${CSS.escape(left)}"]`)?.focus({ preventScroll: true });
