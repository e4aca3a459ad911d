// Keys of the whole page: "/" to the search field, "?" for help, j and k through a list of products. They can be
// switched off (WCAG 2.1.4), and none acts while somebody writes or beside a modifier.

const KEY = "aisle.shortcuts";
const dialog = document.getElementById("shortcuts");
const opener = document.querySelector("[data-shortcuts]");
const choice = dialog.querySelector("[type=checkbox]");

try {
  choice.checked = localStorage.getItem(KEY) !== "off";
} catch {
  // storage is off: the choice holds for this page
}
choice.addEventListener("change", () => {
  try {
    if (choice.checked) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, "off");
  } catch {
    // as above
  }
});
opener.hidden = false;
opener.addEventListener("click", () => dialog.showModal());
dialog.addEventListener("click", ({ target }) => target === dialog && dialog.close()); // beside it

const WRITTEN_IN = "textarea, select, [contenteditable], input:not([type=checkbox], [type=radio], [type=range], [type=submit])";

function goToField() {
  const input = document.querySelector("[role=search] input[name=q]");
  input?.focus();
  input?.select();
}

// Only from within a list: elsewhere these keys are nobody's.
function goThroughCards(card, step) {
  const links = [...card.closest(".cards").querySelectorAll(".card-title a")];
  links[links.indexOf(card.querySelector(".card-title a")) + step]?.focus();
}

document.addEventListener("keydown", (event) => {
  const { key, target } = event;
  if (event.defaultPrevented || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (target.closest(WRITTEN_IN)) return;
  const card = target.closest(".cards .card");
  const forward = target.matches(":dir(rtl)") ? "ArrowLeft" : "ArrowRight";
  if (card && key.startsWith("Arrow") && !event.shiftKey) {
    if (key !== "ArrowLeft" && key !== "ArrowRight") return; // up and down scroll the page
    goThroughCards(card, key === forward ? 1 : -1);
  } else if (!choice.checked) return;
  else if (card && (key === "j" || key === "k")) goThroughCards(card, key === "j" ? 1 : -1);
  else if (key === "/") goToField();
  else if (key === "?") dialog.showModal();
  else return;
  event.preventDefault();
});
