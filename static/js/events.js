// Tells the shop what is clicked and viewed, without saying who. The server leaves this module out where nothing is kept.

const ADDRESS = "/api/v1/events";
const KEY = "aisle.clicked"; // in this tab alone: which product of which search was opened last

const refuses = () => navigator.globalPrivacyControl === true || navigator.doNotTrack === "1";

function send(event) {
  if (refuses()) return;
  const body = new Blob([JSON.stringify(event)], { type: "application/json" });
  if (!navigator.sendBeacon?.(ADDRESS, body)) fetch(ADDRESS, { method: "POST", body, keepalive: true }).catch(() => {});
}

const clickOf = ({ id, queryId, position }) => ({ product_id: id, query_id: queryId, position: Number(position) });

function remember(shown) {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(shown));
  } catch {
    // storage is off: the product's page is then viewed without its search
  }
}

function remembered(id) {
  try {
    const shown = JSON.parse(sessionStorage.getItem(KEY));
    return shown?.product_id === id ? shown : {};
  } catch {
    return {};
  }
}

// The link of a card's title; "auxclick" is the middle button, which opens it in a new tab.
function clicked(event) {
  if (event.type === "auxclick" && event.button !== 1) return;
  const card = event.target.closest(".card-title a")?.closest("[data-query-id]");
  if (!card || refuses()) return;
  const shown = clickOf(card.dataset);
  remember(shown);
  send({ type: "click", ...shown });
}

addEventListener("click", clicked, true);
addEventListener("auxclick", clicked, true);

// A shop's own theme may mark what puts a product into its cart: <button data-event="cart">.
document.addEventListener("click", ({ target }) => {
  const id = target.closest("[data-event=cart]")?.closest("[data-viewed]")?.dataset.viewed;
  if (id) send({ type: "cart", product_id: id, ...remembered(id) });
});

const { viewed } = document.querySelector("[data-viewed]")?.dataset ?? {};
if (viewed) send({ type: "view", product_id: viewed, ...remembered(viewed) });
