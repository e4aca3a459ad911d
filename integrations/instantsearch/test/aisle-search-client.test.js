import assert from "node:assert/strict";
import { test } from "node:test";

import { AisleError, aisleInsights, aisleSearchClient } from "../aisle-search-client.js";

const values = (...entries) => ({
  type: "values", label: "", is_path: false, distinct: entries.length,
  values: entries.map(([value, count, selected = false]) => ({ value, count, selected })),
});
const ANSWER = {
  query: { text: "coffee", search_text: "coffee", corrected: null, did_you_mean: null, constraints: [], unknown_words: [] },
  query_id: "q1", release: "r1", mode: "hybrid", total: 45, total_relation: "exact", confidence: "good", confidence_score: 0.9,
  degraded: null, page: 2, per_page: 20, pages: 3, less_relevant: 4, rescue: null, currency: "USD", took_ms: 11.6, clusters: [],
  hits: [{
    id: "0001", rank: 21, score: 0.8, cluster: 1, why: ["title: mug"],
    product: { id: "0001", title: "Mug & <b>", brand: "Norr", price: 20, category: ["Kitchen", "Mugs"],
               attributes: { "Skill Level": ["beginner"] } },
    highlights: { title: "<mark>Mug</mark> &amp; &lt;b&gt;", description: "A <mark>mug</mark>.", sentence: "" },
  }],
  facets: {
    brand: values(["Norr", 12, true], ["Tazza", 9], ["Hob", 1]),
    category: { ...values(["Kitchen", 30], ["Kitchen > Mugs", 20], ["Kitchen > Mugs > Tall", 5], ["Home", 3]), is_path: true },
    price: { type: "range", label: "Price", min: 9, max: 140, histogram: [] },
    rating: { type: "range", label: "Rating", min: 1.5, max: 5, histogram: [{ from: 1.5, to: 3, count: 4 }, { from: 3, to: 5, count: 10 }],
              thresholds: [{ from: 4.5, count: 2 }, { from: 4, count: 6 }, { from: 3, count: 10 }, { from: 2, count: 12 }] },
  },
};

/** Return a client and what it sent: [path, body] of each HTTP request. */
function asked(options = {}, status = 200, said = ANSWER) {
  const sent = [];
  const fetch = async (address, { body, headers }) => {
    const queries = JSON.parse(body).queries;
    sent.push([new URL(address).pathname, JSON.parse(body), headers]);
    const answer = queries && status === 200 ? { release: "r1", results: queries.map(() => said) } : said;
    return { ok: status === 200, status, json: async () => answer };
  };
  return { client: aisleSearchClient({ url: "http://aisle.test", fetch, ...options }), sent };
}

const one = async (params, options, indexName = "products") => {
  const { client, sent } = asked(options);
  const { results } = await client.search([{ indexName, params }]);
  return { body: sent[0][1], result: results[0], sent };
};
const refused = async (params, pattern, indexName = "products") => {
  await assert.rejects(one(params, {}, indexName), (error) => error instanceof AisleError && pattern.test(error.message));
};

test("pages count from 1 and a page has hitsPerPage products", async () => {
  const { body } = await one({ query: "coffee", page: 2, hitsPerPage: 12 });
  assert.deepEqual(body, { q: "coffee", sort: "relevance", page: 3, per_page: 12, facets: [] });
});

test("filters and bounds become Aisle's own, alternatives of one field staying alternatives", async () => {
  const { body } = await one({
    facets: ["brand", "color", "price"], facetFilters: [["brand:Norr", "brand:Tazza"], ["color:\\-5 green: dark"]],
    numericFilters: ["price>=10", ["price<=50.5"], "rating>=4", "rating<=5"],
  });
  assert.deepEqual(body["f.brand"], ["Norr", "Tazza"]);
  assert.deepEqual(body["f.color"], ["-5 green: dark"]);
  assert.deepEqual([body.price_min, body.price_max, body.rating_min], [10, 50.5, 4]);
  assert.deepEqual(body.facets, ["brand", "color", "price"]);
});

test("a filter that does not come from a widget narrows too", async () => {
  assert.deepEqual((await one({ facetFilters: "brand:Norr" })).body["f.brand"], ["Norr"]);
  assert.equal((await one({ facetFilters: ["in_stock:true"] })).body.in_stock, true);
  assert.equal((await one({ numericFilters: ["price=20"] })).body.price_max, 20);
});

test("an index name's ending is the order", async () => {
  assert.equal((await one({}, {}, "shop_price_asc")).body.sort, "price:asc");
  assert.equal((await one({}, {}, "shop_price_desc")).body.sort, "price:desc");
  assert.equal((await one({}, {}, "shop_rating_desc")).body.sort, "rating:desc");
  assert.equal((await one({}, {}, "shop_newest")).body.sort, "newest");
  await refused({}, /order of the index "shop_size_asc"/, "shop_size_asc");
});

test("what cannot be expressed is said", async () => {
  await refused({ facetFilters: ["brand:-Norr"] }, /leaves values out/);
  await refused({ facetFilters: [["brand:Norr", "color:red"]] }, /over two fields/);
  await refused({ facetFilters: [["brand:Norr"], ["brand:Hob"]] }, /must both hold/);
  await refused({ facets: ["brand"], facetFilters: ["brand:Norr"] }, /use the operator "or"/);
  await refused({ facetFilters: ["nonsense"] }, /the filter "nonsense"/);
  for (const bound of ["weight>=3", "price>3", "price!=3", "rating<=4", "price:1 TO 2", ["price>=1", "price<=0"]]) {
    await refused({ numericFilters: [bound] }, /numeric filter/);
  }
  await refused({ filters: "brand:Norr" }, /the parameter filters/);
  await refused({ aroundLatLng: "1,2" }, /the parameter aroundLatLng/);
  await refused({ distinct: 3 }, /distinct: 3/);
});

test("what asks for nothing is passed over", async () => {
  await one({ tagFilters: "", filters: "", optionalFilters: [], analytics: false, userToken: "u", clickAnalytics: true });
});

test("Aisle's own parameters pass through", async () => {
  const { body } = await one({ cutoff: false, mode: "lexical", typoTolerance: false, distinct: true });
  assert.deepEqual([body.cutoff, body.mode, body.correct, body.fold], [false, "lexical", false, true]);
});

test("a refined page is one HTTP request: the count of a field without its own choice is told by the hits' answer", async () => {
  const { client, sent } = asked();
  const refinements = { facetFilters: [["brand:Norr"]], numericFilters: ["price>=10"], query: "coffee", page: 1 };
  const { results } = await client.search([
    { indexName: "products", params: { ...refinements, facets: ["brand", "category.lvl0", "price"], hitsPerPage: 20, maxValuesPerFacet: 2 } },
    { indexName: "products", params: { ...refinements, page: 0, hitsPerPage: 0, facets: "brand", facetFilters: undefined, maxValuesPerFacet: 2 } },
    { indexName: "products", params: { ...refinements, page: 0, hitsPerPage: 0, facets: "price", numericFilters: undefined } },
  ]);
  assert.equal(sent.length, 1);
  assert.equal(sent[0][0], "/api/v1/search");
  assert.deepEqual(results[1].facets, { brand: { Norr: 12, Tazza: 9 } });
  assert.deepEqual(results[2].facets_stats, { price: { min: 9, max: 140 } });
  assert.deepEqual(results[0].facets["category.lvl0"], { Kitchen: 30, Home: 3 });
  assert.deepEqual(results[1].hits, []);
});

test("levels of a category path are one filter and one count", async () => {
  const { client, sent } = asked({ fields: { categories: "category" } });
  const levels = ["categories.lvl0", "categories.lvl1", "categories.lvl2"];
  const { results } = await client.search([
    { indexName: "products", params: { facets: levels, facetFilters: [["categories.lvl1:Kitchen > Mugs"]] } },
    { indexName: "products", params: { facets: levels.slice(0, 2), facetFilters: [["categories.lvl0:Kitchen"]], hitsPerPage: 0 } },
    { indexName: "products", params: { facets: levels.slice(0, 1), hitsPerPage: 0 } },
  ]);
  assert.equal(sent.length, 1);
  assert.deepEqual(sent[0][1]["f.category"], ["Kitchen > Mugs"]);
  assert.deepEqual(sent[0][1].facets, ["category"]);
  assert.deepEqual(results[0].facets["categories.lvl2"], { "Kitchen > Mugs > Tall": 5 });
  assert.deepEqual(results[2].facets["categories.lvl0"], { Kitchen: 30, Home: 3 });
});

test("requests that differ in more go in one batch", async () => {
  const { client, sent } = asked();
  const { results } = await client.search([
    { indexName: "products", params: { query: "coffee", facets: ["brand"], facetFilters: [["brand:Norr"]] } },
    { indexName: "products", params: { query: "tea", facets: "brand", hitsPerPage: 0 } },
    { indexName: "products_price_asc", params: { query: "coffee" } },
  ]);
  assert.equal(sent.length, 1);
  assert.equal(sent[0][0], "/api/v1/search:batch");
  assert.deepEqual(sent[0][1].queries.map(({ q }) => q), ["coffee", "tea", "coffee"]);
  assert.equal(results[1].nbPages, 0);
});

test("the answer has InstantSearch's shape", async () => {
  const { result } = await one({ query: "coffee", page: 1, facets: ["brand", "price"], maxValuesPerFacet: 2 });
  assert.deepEqual([result.nbHits, result.nbPages, result.page, result.hitsPerPage], [45, 3, 1, 20]);
  assert.deepEqual([result.exhaustiveNbHits, result.exhaustiveFacetsCount, result.exhaustive.facetValues], [true, true, false]);
  assert.deepEqual([result.queryID, result.processingTimeMS, result.query, result.index], ["q1", 12, "coffee", "products"]);
  assert.deepEqual(result.facets, { brand: { Norr: 12, Tazza: 9 }, price: {} });
  const [hit] = result.hits;
  assert.deepEqual([hit.objectID, hit.title, hit.skill_level, hit._aisle.why], ["0001", "Mug & <b>", ["beginner"], ["title: mug"]]);
  assert.equal(result._aisle.confidence, "good");
  assert.equal(result.userData[0].less_relevant, 4);
});

test("pages end where the API ends", async () => {
  const { client } = asked({}, 200, { ...ANSWER, total: 54000, pages: 2700, total_relation: "at_least" });
  const { results } = await client.search([{ indexName: "products", params: {} }]);
  assert.deepEqual([results[0].nbPages, results[0].exhaustiveNbHits], [500, false]);
});

test("marks stay safe: HTML keeps its escapes, InstantSearch's own placeholders get plain text to escape", async () => {
  const html = (await one({ highlightPreTag: "<em>", highlightPostTag: "</em>" })).result.hits[0]._highlightResult.title;
  assert.equal(html.value, "<em>Mug</em> &amp; &lt;b&gt;");
  assert.deepEqual([html.matchLevel, html.matchedWords], ["partial", ["mug"]]);
  const own = (await one({ highlightPreTag: "__ais-highlight__", highlightPostTag: "__/ais-highlight__" })).result.hits[0];
  assert.equal(own._highlightResult.title.value, "__ais-highlight__Mug__/ais-highlight__ & <b>");
  assert.equal(own._snippetResult.description.value, "A __ais-highlight__mug__/ais-highlight__.");
});

test("ratingMenu adds up to Aisle's thresholds", async () => {
  const { result } = await one({ facets: ["rating"] });
  const most = (star) => Object.entries(result.facets.rating).filter(([name]) => name >= star).reduce((sum, [, count]) => sum + count, 0);
  assert.deepEqual([4, 3, 2, 1].map(most), [6, 10, 12, 14]);
});

test("any facets worth showing are asked for and put in order", async () => {
  const { body, result } = await one({ facets: ["*"], facetFilters: [["brand:Norr"]] });
  assert.ok(!("facets" in body));
  assert.deepEqual(result.renderingContent.facetOrdering.facets.order.slice(0, 3), ["brand", "category", "category.lvl0"]);
});

test("an attribute that the page calls otherwise is translated both ways", async () => {
  const { body, result } = await one(
    { facets: ["manufacturer"], facetFilters: [["manufacturer:Norr"]] }, { fields: { manufacturer: "brand", name: "title" } },
  );
  assert.deepEqual(body["f.brand"], ["Norr"]);
  assert.deepEqual(result.facets.manufacturer, { Norr: 12, Tazza: 9, Hob: 1 });
  assert.deepEqual([result.hits[0].manufacturer, result.hits[0]._highlightResult.name.value], ["Norr", "<em>Mug</em> &amp; &lt;b&gt;"]);
});

test("values are looked through by their letters", async () => {
  const { client, sent } = asked();
  const [answer] = await client.searchForFacetValues([
    { indexName: "products", params: { facetName: "brand", facetQuery: "no", maxFacetHits: 2, query: "coffee", highlightPreTag: "[", highlightPostTag: "]" } },
  ]);
  assert.deepEqual([sent[0][1]["find.brand"], sent[0][1].facets], ["no", ["brand"]]);
  assert.deepEqual(answer.facetHits, [{ value: "Norr", count: 12, highlighted: "[No]rr" }, { value: "Tazza", count: 9, highlighted: "Tazza" }]);
});

test("a key goes along, and a refusal is told with the server's own words", async () => {
  const problem = { status: 422, detail: 'unknown parameter "x"', code: "invalid_parameter" };
  const { client, sent } = asked({ key: "secret" }, 422, problem);
  await assert.rejects(client.search([{ indexName: "products", params: {} }]), (error) => (
    error instanceof AisleError && error.message === problem.detail && error.status === 422 && error.problem.code === problem.code
  ));
  assert.equal(sent[0][2].Authorization, "Bearer secret");
});

test("clicks and conversions become events, views do not", () => {
  const sent = [];
  const fetch = async (address, { body }) => {
    sent.push([new URL(address).pathname, ...JSON.parse(body)]);
    return { ok: true, status: 202, json: async () => ({ accepted: 1 }) };
  };
  const insights = aisleInsights({ url: "http://aisle.test", fetch });
  const shown = { index: "products", eventName: "e", queryID: "q1", objectIDs: ["0001", "0002"] };
  insights("clickedObjectIDsAfterSearch", { ...shown, positions: [3, 4] });
  insights("convertedObjectIDsAfterSearch", { ...shown, objectIDs: ["0001"], eventSubtype: "addToCart" });
  insights("convertedObjectIDsAfterSearch", { ...shown, objectIDs: ["0001"] });
  for (const method of ["viewedObjectIDs", "init", "setUserToken", "clickedFilters"]) insights(method, shown);
  let token = "unset";
  insights("getUserToken", null, (error, value) => { token = value; });
  assert.equal(token, undefined);
  assert.deepEqual(sent, [
    ["/api/v1/events", { type: "click", product_id: "0001", query_id: "q1", position: 3 },
     { type: "click", product_id: "0002", query_id: "q1", position: 4 }],
    ["/api/v1/events", { type: "cart", product_id: "0001", query_id: "q1" }],
    ["/api/v1/events", { type: "purchase", product_id: "0001", query_id: "q1" }],
  ]);
});
