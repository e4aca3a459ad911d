// Small courtesies of every page: a picture that fails gives way to its letter.

document.documentElement.classList.add("js");

// A lazy picture that is not wanted yet has no current source.
const isBroken = (image) => image.complete && image.currentSrc && image.naturalWidth === 0;
const giveWay = (image) => image.closest(".picture") && image.remove();

// Errors of images do not bubble, but they can be captured.
document.addEventListener("error", (event) => event.target.tagName === "IMG" && giveWay(event.target), true);
document.querySelectorAll(".picture img").forEach((image) => isBroken(image) && giveWay(image));
