// "Back to results" goes back in history when that is where the visitor came from: filters and place are kept.
const link = document.querySelector("[data-back]");
const from = document.referrer && new URL(document.referrer);
if (link && from && from.origin === location.origin && ["/search", "/map"].includes(from.pathname)) {
  link.href = from.href;
  link.addEventListener("click", (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || history.length < 2) return;
    event.preventDefault();
    history.back();
  });
}
