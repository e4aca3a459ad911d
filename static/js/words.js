// The interface's words in the page's language: English stands in the code, the page brings what it is in another.

const data = document.getElementById("words");
const { forms = {}, words = {} } = data ? JSON.parse(data.textContent) : {};
const plural = new Intl.PluralRules(document.documentElement.lang);
const number = new Intl.NumberFormat(document.documentElement.lang, { numberingSystem: "latn" });

export const numberText = (value) => number.format(value);

const filled = (text, values) => text.replace(/%\((\w+)\)s/g, (_, name) => values[name]);

// gettext("Without %(name)s", { name: "boots" })
export const gettext = (message, values = {}) => filled(words[message] ?? message, values);

// ngettext("%(count)s product", "%(count)s products", 3)
export function ngettext(one, many, count) {
  const text = words[one] ? words[one][forms[plural.select(count)]] : count === 1 ? one : many;
  return filled(text, { count: numberText(count) });
}
