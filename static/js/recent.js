// The searches made in this browser, newest first. They stay in it, and anything may have become of them there.

const KEY = "aisle.recent";
const MOST = 8;
const LONGEST = 128;

function sound(texts) {
  const found = new Map();
  for (const text of Array.isArray(texts) ? texts : []) {
    const plain = typeof text === "string" ? text.trim().replace(/\s+/g, " ") : "";
    const same = plain.toLocaleLowerCase();
    if (plain && plain.length <= LONGEST && !found.has(same)) found.set(same, plain);
  }
  return [...found.values()].slice(0, MOST);
}

export function recentSearches() {
  try {
    return sound(JSON.parse(localStorage.getItem(KEY)));
  } catch {
    return []; // storage is off, or what it holds is not ours
  }
}

function keep(texts) {
  try {
    if (texts.length) localStorage.setItem(KEY, JSON.stringify(sound(texts)));
    else localStorage.removeItem(KEY);
  } catch {
    // storage is off or full: nothing is remembered
  }
}

export const remember = (text) => keep([text, ...recentSearches()]);
export const forget = (text) => keep(recentSearches().filter((other) => other !== text));
export const forgetAll = () => keep([]);

// A search is remembered when it has shown something, also in place of an earlier one.
const FOUND = "[data-region=results] .card, .atlas-found[data-lit]:not([data-lit=''])";
function rememberShown() {
  const text = new URLSearchParams(location.search).get("q");
  if (text && document.querySelector(FOUND)) remember(text);
}

rememberShown();
const region = document.querySelector("[data-region=results]");
if (region) new MutationObserver(rememberShown).observe(region, { childList: true });
