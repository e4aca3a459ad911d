// Small courtesies of every page: "/" goes to the search field, a picture that fails gives way to its letter.

document.documentElement.classList.add("js");

const field = () => document.querySelector("[role=search] input[name=q]");
const isTyping = (element) =>
  element.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(element.tagName);

document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
  const input = field();
  if (!input) return;
  event.preventDefault();
  input.focus();
  input.select();
});

// A lazy picture that is not wanted yet has no current source.
const isBroken = (image) => image.complete && image.currentSrc && image.naturalWidth === 0;
const giveWay = (image) => image.closest(".picture") && image.remove();

// Errors of images do not bubble, but they can be captured.
document.addEventListener("error", (event) => event.target.tagName === "IMG" && giveWay(event.target), true);
document.querySelectorAll(".picture img").forEach((image) => isBroken(image) && giveWay(image));
