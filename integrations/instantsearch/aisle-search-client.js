/**
 * An InstantSearch.js search client for Aisle: any InstantSearch page works against an Aisle server.
 *
 *   import { aisleSearchClient } from "./aisle-search-client.js";
 *   instantsearch({ indexName: "products", searchClient: aisleSearchClient({ url: "https://shop.example" }) });
 *
 * The index name decides the order alone: "products" by relevance, "products_price_asc", "products_price_desc",
 * "products_rating_desc", "products_newest". What Aisle cannot express is a thrown error, never passed over.
 */

const SORTS = { price_asc: "price:asc", price_desc: "price:desc", rating_desc: "rating:desc", newest: "newest" };
const OWN = ["mode", "interpret", "correct", "cutoff", "cluster", "literal", "explain", "in_stock"]; // Aisle's, by configure
const READ = [
  "query", "page", "hitsPerPage", "facets", "maxValuesPerFacet", "facetFilters", "numericFilters", "distinct",
  "typoTolerance", "highlightPreTag", "highlightPostTag", "facetName", "facetQuery", "maxFacetHits", ...OWN,
];
// These ask for less than is given anyway, or for what only Algolia keeps.
const WITHOUT_EFFECT = [
  "analytics", "analyticsTags", "attributesToHighlight", "attributesToRetrieve", "attributesToSnippet", "clickAnalytics",
  "enableABTest", "facetingAfterDistinct", "getRankingInfo", "responseFields", "snippetEllipsisText", "userToken",
];
const MOST_REACHED = 10000; // page x per_page of the API

/** What went wrong: `message` for people; of a refused request also `status` and the RFC 9457 `problem`. */
export class AisleError extends Error {
  constructor(message, status = 0, problem = null) {
    super(message);
    Object.assign(this, { name: "AisleError", status, problem });
  }
}

/**
 * Return a search client.
 * @param {string} url of the Aisle server.
 * @param {string} key with the scope "search"; only where the server asks for one. Everyone who sees the page sees it.
 * @param {Object<string, string>} fields Aisle's field for each attribute that the page calls otherwise, such as
 *   { manufacturer: "brand" }; also how hits carry it. "category.lvl0", "category.lvl1" ... are the levels of a path.
 */
export function aisleSearchClient({ url, key = "", fields = {}, fetch = globalThis.fetch.bind(globalThis) }) {
  const post = (path, body) => posted({ url, key, fetch }, path, body);
  const answersTo = async (bodies) => {
    if (bodies.length === 1) return [await post("api/v1/search", bodies[0])];
    return (await post("api/v1/search:batch", { queries: bodies })).results;
  };

  return {
    /** Answer InstantSearch's requests with one HTTP request. */
    async search(requests) {
      const asked = shared(requests.map((request) => translated(request, fields)));
      const bodies = [...new Set(asked.map((one) => one.source))].map((one) => one.body);
      const answers = new Map(bodies.map((body) => [body, null]));
      (await answersTo(bodies)).forEach((answer, place) => answers.set(bodies[place], answer));
      return { results: asked.map((one) => result(one, answers.get(one.source.body), fields)) };
    },

    /** Look through the values of facets: what `refinementList({ searchable: true })` asks. */
    async searchForFacetValues(requests) {
      const asked = requests.map(({ indexName, params }) => ({
        params, attribute: params.facetName,
        one: translated({ indexName, params: { ...params, facets: params.facetName, hitsPerPage: 0, page: 0 } }, fields),
      }));
      const bodies = asked.map(({ params, attribute, one }) => {
        const text = params.facetQuery ?? "";
        return text ? { ...one.body, [`find.${place(attribute, fields).field}`]: text } : one.body;
      });
      const answers = await answersTo(bodies);
      return asked.map(({ params, attribute, one }, number) => {
        const counted = result({ ...one, most: params.maxFacetHits ?? 10 }, answers[number], fields);
        const facetHits = Object.entries(counted.facets[attribute]).map(([value, count]) => (
          { value, count, highlighted: found(value, params.facetQuery ?? "", one.tags) }
        ));
        return { facetHits, exhaustiveFacetsCount: counted.exhaustiveFacetsCount, processingTimeMS: counted.processingTimeMS };
      });
    },
  };
}

/**
 * Return an insights client, so that Aisle learns what comes of its answers:
 *
 *   search.use(instantsearch.middlewares.createInsightsMiddleware({ insightsClient: aisleInsights({ url }) }));
 *
 * Clicks on hits are told, and conversions that templates send by `sendEvent("conversion", hit, "...")`: a purchase, or
 * what was put into the cart with `{ eventSubtype: "addToCart" }`. Views are not: Aisle counts the views of a product's page.
 */
export function aisleInsights({ url, key = "", fetch = globalThis.fetch.bind(globalThis) }) {
  const types = { clickedObjectIDsAfterSearch: "click", convertedObjectIDsAfterSearch: "purchase" };
  return (method, payload, told) => {
    if (method === "getUserToken") told?.(null, undefined); // nobody is followed
    const type = payload?.eventSubtype === "addToCart" ? "cart" : types[method];
    if (!type || !payload.objectIDs) return;
    const events = payload.objectIDs.map((product_id, place) => ({
      type, product_id, query_id: payload.queryID, position: payload.positions?.[place],
    }));
    posted({ url, key, fetch }, "api/v1/events", events, { keepalive: true }).catch((error) => console.warn(error.message));
  };
}

/** Return the JSON that the API answers to a body; throw AisleError for anything but success. */
async function posted({ url, key, fetch }, path, body, options = {}) {
  const headers = { "Content-Type": "application/json", ...(key && { Authorization: `Bearer ${key}` }) };
  const address = new URL(path, url.endsWith("/") ? url : `${url}/`).href;
  const response = await fetch(address, { method: "POST", headers, body: JSON.stringify(body), ...options });
  const answer = await response.json().catch(() => null);
  if (response.ok && answer) return answer;
  throw new AisleError(answer?.detail ?? `${url} answered ${response.status}`, response.status, answer);
}

// -- from InstantSearch's request to Aisle's body --

/** Return one request as {body, conditions by field, attributes asked to be counted, ...}. */
function translated({ indexName, params = {} }, fields) {
  for (const [name, value] of Object.entries(params)) {
    const says = Array.isArray(value) ? value.length : value !== undefined && value !== null && value !== "";
    if (says && !READ.includes(name) && !WITHOUT_EFFECT.includes(name)) refuse(`the parameter ${name}`);
  }
  const attributes = list(params.facets);
  const all = attributes.includes("*");
  const conditions = conditionsOf(params, all ? [] : attributes, fields);
  const counted = [...new Set(attributes.map((attribute) => place(attribute, fields).field))].sort();
  const hitsPerPage = params.hitsPerPage ?? 20;
  const words = { q: params.query ?? "", sort: sortOf(indexName), ...own(params) };
  const body = {
    ...words, page: (params.page ?? 0) + 1, per_page: Math.max(1, hitsPerPage), // hits of none are dropped again
    ...(all ? {} : { facets: counted }), ...Object.assign({}, ...Object.values(conditions)),
  };
  const tags = { pre: params.highlightPreTag ?? "<em>", post: params.highlightPostTag ?? "</em>" };
  return { indexName, params, words, conditions, attributes, all, counted, hitsPerPage, body, tags, most: params.maxValuesPerFacet ?? 100 };
}

function sortOf(indexName) {
  const ending = Object.keys(SORTS).find((name) => indexName.endsWith(`_${name}`));
  if (ending) return SORTS[ending];
  if (/_(asc|desc)$/.test(indexName)) refuse(`the order of the index "${indexName}" (there are: ${Object.keys(SORTS).join(", ")})`);
  return "relevance";
}

function own(params) {
  const told = Object.fromEntries(OWN.filter((name) => params[name] !== undefined).map((name) => [name, params[name]]));
  if (params.typoTolerance === false || params.typoTolerance === "false") told.correct = false;
  if (Number(params.distinct) > 1) refuse(`distinct: ${params.distinct} (variants are folded into one hit, or not at all)`);
  return Number(params.distinct) === 1 ? { ...told, fold: true } : told;
}

/** Return the members of the body by the field they narrow; each group of facetFilters must hold, any value of a group does. */
function conditionsOf(params, counted, fields) {
  const conditions = {};
  for (const group of list(params.facetFilters)) {
    const parts = list(group).map((text) => filterOf(text, fields));
    if (parts.length === 0) continue;
    const { field } = parts[0];
    if (parts.some((part) => part.field !== field)) refuse(`"${list(group).join('" or "')}" (one filter over two fields)`);
    if (conditions[field]) refuse(`two filters on ${field} that must both hold`);
    if (!Array.isArray(group) && counted.some((one) => place(one, fields).field === field)) {
      refuse(`counts of ${field} within its own filter (use the operator "or")`); // ours are always the others' counts
    }
    const values = parts.map((part) => part.value);
    if (field === "in_stock") conditions[field] = { in_stock: values.every((value) => value === "true") };
    else conditions[field] = { [`f.${field}`]: values.sort() };
  }
  for (const bound of list(params.numericFilters)) narrow(conditions, bound, fields);
  return conditions;
}

function filterOf(text, fields) {
  const colon = text.indexOf(":");
  const value = text.slice(colon + 1);
  if (colon < 1) refuse(`the filter "${text}"`);
  if (value.startsWith("-")) refuse(`"${text}" (a filter that leaves values out)`);
  return { field: place(text.slice(0, colon), fields).field, value: value.replace(/^\\-/, "-") };
}

/** Add one numeric filter such as "price>=10" to the conditions. */
function narrow(conditions, bound, fields) {
  const text = list(bound).length === 1 ? String(list(bound)[0]) : "";
  const [, attribute, operator, digits] = /^(.+?)\s*(<=|>=|!=|=|<|>)\s*(-?\d+(?:\.\d+)?(?:e[-+]?\d+)?)$/i.exec(text) ?? [];
  const field = attribute && place(attribute, fields).field;
  const number = Number(digits);
  const told = (conditions[field] ??= {});
  if (field === "price" && [">=", "<=", "="].includes(operator)) {
    if (operator !== "<=") told.price_min = Math.max(number, told.price_min ?? -Infinity);
    if (operator !== ">=") told.price_max = Math.min(number, told.price_max ?? Infinity);
  } else if (field === "rating" && operator === ">=") {
    told.rating_min = Math.max(number, told.rating_min ?? -Infinity);
  } else if (!(field === "rating" && operator === "<=" && number >= 5)) { // ratingMenu says the best there is
    refuse(`the numeric filter "${list(bound).join('" or "')}" (there are price >=, <=, = and rating >=)`);
  }
}

/**
 * Point each request to the one whose answer it can be told from (often itself).
 *
 * InstantSearch asks again for every refined field, without its own refinement, to count its other values. Aisle's
 * counts leave a field's own selection out already, so the request for hits has told it.
 */
function shared(asked) {
  const without = (one, field) => {
    const others = Object.entries(one.conditions).filter(([name]) => name !== field).sort();
    return JSON.stringify([one.words, others]);
  };
  const tells = (one, field) => one.hitsPerPage > 0 && (one.counted.includes(field) || (one.all && field in one.conditions));
  for (const one of asked) {
    const [field, ...more] = one.counted;
    const isCount = one.hitsPerPage === 0 && field && !one.all && more.length === 0;
    one.source = (isCount && asked.find((other) => tells(other, field) && without(other, field) === without(one, field))) || one;
  }
  return asked;
}

// -- from Aisle's answer to InstantSearch's result --

function result(one, answer, fields) {
  const isExact = answer.total_relation === "exact";
  const counted = counts(one, answer, fields);
  const common = {
    index: one.indexName, query: answer.query.text, params: new URLSearchParams(one.params).toString(),
    facets: counted.facets, facets_stats: counted.stats, exhaustiveFacetsCount: isExact,
  };
  if (one.source && one.source !== one) return { ...common, hits: [], processingTimeMS: 0 }; // told for its facets alone
  const told = {
    release: answer.release, confidence: answer.confidence, confidence_score: answer.confidence_score,
    degraded: answer.degraded, ...answer.query, clusters: answer.clusters, currency: answer.currency,
    less_relevant: answer.less_relevant, rescue: answer.rescue,
  };
  const reached = Math.floor(MOST_REACHED / one.body.per_page);
  return {
    ...common,
    hits: one.hitsPerPage === 0 ? [] : answer.hits.map((hit) => record(hit, one.tags, fields)),
    nbHits: answer.total, page: answer.page - 1, hitsPerPage: one.hitsPerPage,
    nbPages: one.hitsPerPage === 0 ? 0 : Math.min(answer.pages, reached),
    exhaustiveNbHits: isExact, exhaustiveTypo: true,
    exhaustive: { facetsCount: isExact, facetValues: counted.isWhole, nbHits: isExact, typo: true },
    processingTimeMS: Math.round(answer.took_ms), queryID: answer.query_id,
    ...(one.all && { renderingContent: { facetOrdering: { facets: { order: Object.keys(counted.facets) } } } }),
    userData: [told], // for the widget queryRuleCustomData
    _aisle: told,
  };
}

/** Return the counts by attribute, least and most by attribute, and whether every value is among them. */
function counts(one, answer, fields) {
  const facets = {}, stats = {};
  let isWhole = true;
  const attributes = one.all ? Object.keys(answer.facets).flatMap((field) => all(field, answer.facets[field], fields)) : one.attributes;
  for (const attribute of attributes) {
    const { field, level } = place(attribute, fields);
    const facet = answer.facets[field];
    if (!facet) continue;
    if (facet.type === "range") {
      facets[attribute] = field === "rating" ? ratings(facet) : {};
      if (facet.min !== null) stats[attribute] = { min: facet.min, max: facet.max };
      continue;
    }
    const values = facet.values.filter(({ value }) => level === null || value.split(" > ").length === level + 1);
    const shown = values.filter(({ selected }, rank) => selected || rank < one.most);
    facets[attribute] = Object.fromEntries(shown.map(({ value, count }) => [value, count]));
    if (level === null && shown.length < facet.distinct) isWhole = false;
  }
  return { facets, stats, isWhole };
}

/** Return what a page may call a field: a path is also told by its levels. */
function all(field, facet, fields) {
  const deepest = facet.is_path ? Math.max(-1, ...facet.values.map(({ value }) => value.split(" > ").length - 1)) : -1;
  const name = alias(field, fields);
  return [name, ...Array.from({ length: deepest + 1 }, (_, level) => `${name}.lvl${level}`)];
}

/** Return how many have 1, 2, 3 and 4 stars or a bit more, such that ratingMenu's sums ("4 & up") are Aisle's counts. */
function ratings(facet) {
  const reaching = new Map((facet.thresholds ?? []).map(({ from, count }) => [from, count]));
  if (facet.min >= 1) reaching.set(1, facet.histogram.reduce((sum, { count }) => sum + count, 0));
  const steps = [4, 3, 2, 1].filter((step) => reaching.has(step));
  return Object.fromEntries(steps.map((step, rank) => [step, reaching.get(step) - (reaching.get(steps[rank - 1]) ?? 0)]));
}

/** Return a product as InstantSearch's hit: its fields, its attributes as facets call them, what is marked, and why. */
function record(hit, tags, fields) {
  const { id, rank, score, product, highlights, ...told } = hit;
  const attributes = Object.entries(product.attributes ?? {}).map(([label, values]) => [fieldName(label), values]);
  const flat = { ...Object.fromEntries(attributes), ...product };
  for (const [attribute, field] of Object.entries(fields)) if (field in flat) flat[attribute] = flat[field];
  const shown = (name) => ({
    value: marked(highlights[name] ?? "", tags),
    matchLevel: highlights[name]?.includes("<mark>") ? "partial" : "none",
    matchedWords: [...(highlights[name] ?? "").matchAll(/<mark>(.*?)<\/mark>/g)].map(([, word]) => unescaped(word).toLowerCase()),
  });
  const title = shown("title");
  return {
    ...flat, objectID: id,
    _highlightResult: { title, ...(alias("title", fields) !== "title" && { [alias("title", fields)]: title }) },
    _snippetResult: { description: shown("description"), sentence: shown("sentence") },
    _aisle: { rank, score, ...told },
  };
}

/** Return Aisle's HTML with the tags asked for. Where these are no HTML, the page escapes all itself: it gets plain text. */
function marked(html, { pre, post }) {
  const text = html.split("<mark>").map((part) => part.split("</mark>"));
  const inner = /[<&]/.test(pre) ? (part) => part : unescaped;
  return text.map((parts) => parts.map(inner).join(post)).join(pre);
}

function unescaped(html) {
  const meant = { "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#x27;": "'", "&amp;": "&" };
  return html.replace(/&(?:lt|gt|quot|#x27|amp);/g, (entity) => meant[entity]);
}

/** Return a facet's value with what was typed marked; what is around it is as escaped as `marked`. */
function found(value, text, tags) {
  const start = value.toLowerCase().indexOf(text.toLowerCase());
  const inner = /[<&]/.test(tags.pre) ? escaped : (part) => part;
  if (!text || start < 0) return inner(value);
  const end = start + text.length;
  return inner(value.slice(0, start)) + tags.pre + inner(value.slice(start, end)) + tags.post + inner(value.slice(end));
}

function escaped(text) {
  const entities = { "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;", "&": "&amp;" };
  return text.replace(/[<>"'&]/g, (character) => entities[character]);
}

// -- names --

/** Return Aisle's field of an attribute and, of "category.lvl1", the level. */
function place(attribute, fields) {
  const [, base, level] = /^(.+)\.lvl(\d+)$/.exec(attribute) ?? [null, attribute, null];
  return { field: fields[attribute] ?? fields[base] ?? base, level: level === null ? null : Number(level) };
}

function alias(field, fields) {
  return Object.keys(fields).find((attribute) => fields[attribute] === field) ?? field;
}

/** Return an attribute's name in filters: "Skill Level" is skill_level. */
function fieldName(label) {
  return label.toLowerCase().split(/[^\p{L}\p{N}]+/u).filter(Boolean).join("_");
}

function list(value) {
  if (value === undefined || value === null || value === "") return [];
  return Array.isArray(value) ? value : [value];
}

function refuse(what) {
  throw new AisleError(`Aisle cannot express ${what}`);
}
