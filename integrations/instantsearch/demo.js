import { aisleSearchClient } from "./aisle-search-client.js";

/* global instantsearch */
const aisle = new URLSearchParams(location.search).get("aisle") ?? "http://127.0.0.1:8000";
const { widgets } = instantsearch;

const search = instantsearch({
  indexName: "products",
  searchClient: aisleSearchClient({ url: aisle }),
  routing: {
    router: instantsearch.routers.history({
      cleanUrlOnDispose: false,
      // The address keeps ?aisle= beside what was searched for.
      createURL: ({ qsModule, routeState, location }) => (
        `${location.origin}${location.pathname}${qsModule.stringify({ aisle, ...routeState }, { addQueryPrefix: true })}`
      ),
      parseURL: ({ qsModule, location }) => {
        const { aisle: _, ...routeState } = qsModule.parse(location.search.slice(1));
        return routeState;
      },
    }),
  },
});

/** What Aisle says of an answer besides the hits, in words. */
function sentences({ confidence, corrected, did_you_mean, text, constraints }) {
  return [
    confidence === "none" && "Nothing fits.",
    confidence === "weak" && "Nothing fits well; these are the closest.",
    corrected && `Searched for "${corrected}" instead of "${text}".`,
    did_you_mean && `Did you mean "${did_you_mean}"?`,
    constraints.length > 0 && `Read in your words: ${constraints.map((one) => one.text).join(", ")}.`,
  ].filter(Boolean);
}

search.addWidgets([
  widgets.configure({ hitsPerPage: 8 }),
  widgets.searchBox({ container: "#searchbox", placeholder: "What do you need?" }),
  widgets.stats({ container: "#stats" }),
  widgets.sortBy({
    container: "#sort",
    items: [
      { value: "products", label: "Relevance" },
      { value: "products_price_asc", label: "Price, lowest first" },
      { value: "products_price_desc", label: "Price, highest first" },
      { value: "products_rating_desc", label: "Rating" },
      { value: "products_newest", label: "Newest" },
    ],
  }),
  widgets.queryRuleCustomData({
    container: "#told",
    templates: { default: ({ items }, { html }) => items.flatMap(sentences).map((sentence) => html`<p>${sentence}</p>`) },
  }),
  widgets.hits({
    container: "#hits",
    templates: {
      item: (hit, { html, components }) => html`
        <h3>${components.Highlight({ hit, attribute: "title" })}</h3>
        <p>${hit.price === null ? "" : `${hit.price.toFixed(2)} ${hit.currency}`}</p>
        <p>${components.Snippet({ hit, attribute: "description" })}</p>
        <p class="why">${hit._aisle.why.join(" · ")}</p>`,
      empty: () => "Nothing was found.", // a function: templates as texts need eval, which the page forbids
    },
  }),
  widgets.pagination({ container: "#pages" }),
  widgets.currentRefinements({ container: "#current" }),
  widgets.clearRefinements({ container: "#clear" }),
  widgets.hierarchicalMenu({ container: "#category", attributes: ["category.lvl0", "category.lvl1", "category.lvl2"] }),
  widgets.rangeInput({ container: "#price", attribute: "price" }),
  widgets.ratingMenu({ container: "#rating", attribute: "rating" }),
  widgets.toggleRefinement({ container: "#stock", attribute: "in_stock", templates: { labelText: () => "In stock" } }),
  // Every other facet that narrows this result well, as Aisle chooses them.
  widgets.dynamicWidgets({
    container: "#others",
    facets: ["*"],
    maxValuesPerFacet: 30,
    transformItems: (attributes) => attributes.filter((one) => !/^(category|price|rating)\b/.test(one)),
    widgets: [],
    fallbackWidget: ({ container, attribute }) => widgets.panel({ templates: { header: () => attribute.replaceAll("_", " ") } })(
      widgets.refinementList,
    )({ container, attribute, searchable: true, searchableIsAlwaysActive: false, showMore: true, limit: 5, showMoreLimit: 30 }),
  }),
]);

search.on("error", ({ error }) => { document.querySelector("#error").textContent = error.message; });
search.on("render", () => {
  if (search.status === "idle") document.querySelector("#error").textContent = "";
});
search.start();
globalThis.search = search; // to try things out in the console
