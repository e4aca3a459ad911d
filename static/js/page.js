// Small courtesies of every page: a picture that fails gives way to its letter.

document.documentElement.classList.add("js");

const isBroken = (image) => image.complete && image.naturalWidth === 0;
const giveWay = (image) => image.closest(".picture") && image.remove();

// Errors of images do not bubble, but they can be captured.
document.addEventListener("error", (event) => event.target.tagName === "IMG" && giveWay(event.target), true);
document.querySelectorAll(".picture img").forEach((image) => isBroken(image) && image.loading !== "lazy" && giveWay(image));
