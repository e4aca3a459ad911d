"""What to call a group of products: the category most of them share, or the words that set their titles apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count as numbers
from itertools import takewhile

import numpy as np

from indexer.clustering.terms import ClusterTerms, Rows, TitleTerms, strongest_terms
from indexer.clustering.themes import Encode, closest_words
from search.analysis import words_of
from search.arrays import Floats
from search.product import Product

SHARED = 0.6  # share of a cluster's products that makes a category, or a term, its name
HALF = 0.5  # a category of half of them still beats words that cover less
SECOND = 0.25  # least share of the second of two categories, and of what a second term must add
QUALIFIES = 0.1  # least share of a term that tells two clusters of the same name apart
CAPTURED = 0.25  # a large group bears a category's name only if it holds this share of the category
DEPARTMENT_BELOW = 0.25  # terms that cover less than this say less than the department
LONGEST = 6  # words of two categories joined
THEME_WORDS = 3
NEARLY_ALL = 0.7  # share of a cluster's titles that hold a term for the kind of thing
SPREAD = 2  # such a term is also used outside: it is this many times as frequent as the cluster is large
SHOWN_TERMS = 8
SHOWN_ATTRIBUTES = 4
TITLE_WORDS = 4
Path = tuple[str, ...]


@dataclass(frozen=True)
class Description:
    """What is said about one cluster; see `indexer.clustering.Cluster`."""

    label: str
    terms: tuple[str, ...]
    attributes: dict[str, str]


def describe_clusters(
    products: Sequence[Product],
    embeddings: Floats,
    members: Sequence[Rows],
    parents: Sequence[int | None],
    language: str,
    encode: Encode | None = None,
) -> list[Description]:
    """Return label, terms and shared attributes of every cluster.

    No two leaves have the same label, nor two clusters of the top level.

    Args:
        products: by row.
        embeddings: (n, d) float32 unit rows.
        members: per cluster its rows, the most typical first; none is empty.
        parents: per cluster its parent, None at the top.
        language: ISO 639-1 of the titles.
        encode: texts -> (t, d) float32 unit rows, of the encoder that made the embeddings; None leaves names to titles.
    """
    titles = TitleTerms(products, language)
    groups = {parent for parent in parents if parent is not None}
    leaves = [cluster for cluster in range(len(parents)) if cluster not in groups]
    terms: dict[int, ClusterTerms] = {}
    for level in (leaves, sorted(groups)):
        terms.update(zip(level, strongest_terms(titles, embeddings, [members[c] for c in level]), strict=True))
    labeller = _Labeller(products, titles, members, parents, terms)
    if encode is not None:
        unnamed = {leaf: members[leaf] for leaf in leaves if not labeller.leaf_category(leaf)}
        names = {leaf: labeller.title_words(leaf) for leaf in unnamed}
        labeller.themes = closest_words(products, embeddings, unnamed, names, language, encode)
    labels = labeller.labels()
    overall = _value_counts(products, range(len(products)))
    return [
        Description(
            label=labels[cluster],
            terms=tuple(titles.written(int(term), rows) for term in terms[cluster].ids[:SHOWN_TERMS]),
            attributes=_shared_values(products, rows, overall),
        )
        for cluster, rows in enumerate(members)
    ]


@dataclass(frozen=True)
class _Name:
    """A label in the making: one or two things, and what tells them from others of that name."""

    parts: tuple[str, ...]
    told_by: str = ""

    @property
    def text(self) -> str:
        """The label in running text: "jacket: denim", "speaker & microphone"."""
        mark = ", " if any("&" in part or "," in part for part in self.parts) else " & "
        return mark.join(self.parts) + (f": {self.told_by}" if self.told_by else "")


class _Labeller:
    """Chooses the labels of all clusters together, because each must differ from the others."""

    def __init__(
        self,
        products: Sequence[Product],
        titles: TitleTerms,
        members: Sequence[Rows],
        parents: Sequence[int | None],
        terms: dict[int, ClusterTerms],
    ):
        self._paths = [tuple(filter(_has_letters, product.category)) for product in products]
        self._titles, self._members, self._terms = titles, members, terms
        self._children = {
            cluster: [child for child, parent in enumerate(parents) if parent == cluster]
            for cluster in range(len(parents))
        }
        self._top_leaves = [c for c, parent in enumerate(parents) if parent is None and not self._children[c]]
        self._sizes = Counter(path[:depth] for path in self._paths for depth in range(1, len(path) + 1))
        # The departments of a deep tree are too wide to name a leaf.
        self._leaf_depth = 2 if max(map(len, self._paths)) > 1 else 1
        self._fallbacks = [products[int(rows[0])].title.split()[:TITLE_WORDS] for rows in members]
        self._names: dict[int, _Name] = {}
        self.themes: dict[int, str] = {}  # leaf -> the word that tells it better than its titles do

    def labels(self) -> list[str]:
        """Return one label per cluster; larger clusters choose first, leaves before the groups named after them."""
        leaves = [cluster for cluster, children in self._children.items() if not children]
        groups = [cluster for cluster, children in self._children.items() if children]
        for level, siblings, category_of, candidates_of in (
            (leaves, [], self.leaf_category, self._leaf_names),
            (groups, self._top_leaves, self._group_category, self._group_names),
        ):
            taken = {frozenset(self._stems(self._names[leaf].text)) for leaf in siblings}
            categories = {cluster: category_of(cluster) for cluster in level}
            for cluster in level:
                category = categories[cluster]
                shared = list(categories.values()).count(category) > 1
                for name in candidates_of(cluster, category, shared):
                    words = frozenset(self._stems(name.text))
                    if words and words not in taken:
                        break
                taken.add(words)
                self._names[cluster] = name
        for group in groups:
            self._tell_from_group(group)
        texts = [self._names[cluster].text for cluster in range(len(self._names))]
        return [text[:1].upper() + text[1:] if text.split()[0].islower() else text for text in texts]

    def _tell_from_group(self, group: int) -> None:
        """Rename a leaf that bears its group's name: "clothing" within "clothing" tells nobody where to go."""
        taken = {frozenset(self._stems(name.text)) for name in self._names.values()}
        own = frozenset(self._stems(self._names[group].text))
        for leaf in self._children[group]:
            if frozenset(self._stems(self._names[leaf].text)) == own:
                names = takewhile(lambda name: name.told_by, self._told_apart(leaf, self._names[leaf].parts))
                free = (name for name in names if frozenset(self._stems(name.text)) not in taken)
                self._names[leaf] = next(free, self._names[leaf])

    def _leaf_names(self, leaf: int, category: tuple[str, ...], shared: bool) -> Iterator[_Name]:
        """Yield names for a leaf, best first, without end."""
        words, covered = self._best_terms(leaf)
        differs = set(self._stems(" ".join(words))) != set(self._stems(" ".join(category)))
        if category and not shared:
            yield _Name(category)
        if category and covered >= SHARED and differs:
            # One word alone ("tablets") may be anything; a phrase says what it is.
            bare = " " in "".join(words) or len(words) > 1 or self._repeats(words, " ".join(category))
            yield _Name(words) if bare else _Name(category, words[0])
        if not category and leaf in self.themes:
            yield _Name((self.themes[leaf],))
        if words and not category:
            yield self._with_kind(leaf, words)
        yield from self._told_apart(leaf, category or words or (" ".join(self._fallbacks[leaf]),))

    def title_words(self, leaf: int) -> tuple[str, ...]:
        """Return the words that name a leaf by its titles alone."""
        return self._best_terms(leaf)[0] or (" ".join(self._fallbacks[leaf]),)

    def _with_kind(self, leaf: int, words: tuple[str, ...]) -> _Name:
        """Return the words, with the kind of thing they are about where they leave it open: "zen: plant"."""
        theme = self._category(self._members[leaf], from_depth=self._leaf_depth, least=SECOND)[:1]
        if theme and len(words) == 1 and len(theme[0].split()) <= THEME_WORDS:
            return _Name(words) if self._repeats(words, theme[0]) else _Name(words, theme[0])
        kind = "" if theme else self._general_term(leaf)
        return _Name((kind,), words[0]) if kind and not self._repeats(words, kind) else _Name(words)

    def _general_term(self, leaf: int) -> str:
        """Return a term of nearly all of the leaf's titles and of many others, "patch cable"; "" when there is none."""
        found = self._terms[leaf]
        shares, frequency = found.held.mean(axis=0), self._titles.frequency[found.ids]
        usable = shares >= NEARLY_ALL
        usable &= (frequency >= SPREAD * len(found.held)) & ~self._titles.is_brand[found.ids]
        places = [int(place) for place in np.flatnonzero(usable)]
        if not places:
            return ""
        lengths = [len(self._titles.terms[term]) for term in found.ids]
        return self._written(leaf, max(places, key=lambda place: (lengths[place], frequency[place], -place)))

    def _repeats(self, words: Sequence[str], text: str) -> bool:
        return _alike(self._stems(" ".join(words)), self._stems(text))

    def _group_names(self, group: int, category: tuple[str, ...], shared: bool) -> Iterator[_Name]:
        """Yield names for a group of leaves, best first, without end."""
        words, covered = self._best_terms(group)
        if category and not shared:
            yield _Name(category)
        if covered >= SHARED:
            yield _Name(words)
        heads: list[str] = []
        for child in sorted(self._children[group], key=lambda child: (-len(self._members[child]), child)):
            head = self._names[child].parts[0]
            if not any(_alike(self._stems(head), self._stems(other)) for other in heads):
                heads.append(head)
        yield _Name(tuple(heads[:2]))
        yield _Name(tuple(heads[:3]))
        yield from self._told_apart(group, tuple(heads[:2]))

    def _told_apart(self, cluster: int, parts: tuple[str, ...]) -> Iterator[_Name]:
        """Yield the parts with each term that tells the cluster from others of that name, then bare, then numbered."""
        found, base = self._terms[cluster], self._stems(" ".join(parts))
        places = [int(place) for place in np.flatnonzero(found.held.mean(axis=0) >= QUALIFIES)]
        places = [place for place in places if not _alike(self._titles.terms[found.ids[place]], base)]
        for place in places:
            yield _Name(parts, self._written(cluster, self._fuller(cluster, place, places)))
        yield _Name(parts)
        yield from (_Name(parts, str(number)) for number in numbers(2))

    def leaf_category(self, leaf: int) -> tuple[str, ...]:
        """Return the category that names a leaf; the department only where the titles have nothing better."""
        rows = self._members[leaf]
        category = self._category(rows, self._leaf_depth, HALF)
        if not category and self._best_terms(leaf)[1] < DEPARTMENT_BELOW:
            department = self._category(rows, 1, SHARED)
            category = department if len(department) == 1 else ()
        return category

    def _group_category(self, group: int) -> tuple[str, ...]:
        """Return the category, of any depth, that names a group of leaves."""
        return self._category(self._members[group], 1, HALF, captured=CAPTURED)

    def _category(self, rows: Rows, from_depth: int, least: float, captured: float = 0.0) -> tuple[str, ...]:
        """Return the deepest category of most rows, or two that hold most of them together; () when there is none.

        Args:
            rows: of one cluster.
            from_depth: departments above this depth are not considered.
            least: share of the rows that one category must have.
            captured: share of the category's products that must be among the rows.
        """
        for depth in range(max(len(self._paths[row]) for row in rows), from_depth - 1, -1):
            counts = Counter(path[:depth] for row in rows if len(path := self._paths[row]) >= depth)
            fitting = [(path, n) for path, n in counts.most_common(2) if n >= captured * self._sizes[path]]
            shares = [n / len(rows) for _, n in fitting]
            names = tuple(_in_sentence(path[-1]) for path, _ in fitting)
            both = len(names) == 2 and shares[0] < SHARED <= sum(shares) and shares[1] >= SECOND
            repeats = both and _alike(self._stems(names[0]), self._stems(names[1]))  # cheese, international cheese
            if both and not repeats and len(" ".join(names).split()) <= LONGEST:
                return names
            if repeats:
                return (self._common_words(*names),)
            if shares and shares[0] >= least:
                return names[:1]
        return ()

    def _common_words(self, one: str, other: str) -> str:
        """Return the words of the first name that the second has too: clothing of women's and of men's clothing."""
        stems = self._stems(other)
        kept = [word for word in one.split() if _alike(self._stems(word), stems)]
        return " ".join(kept)

    def _best_terms(self, cluster: int) -> tuple[tuple[str, ...], float]:
        """Return the one or two terms that cover the cluster's titles best, and the share they cover."""
        found = self._terms[cluster]
        stems = [self._titles.terms[term] for term in found.ids]
        usable = [place for place, term in enumerate(found.ids) if not self._titles.is_brand[term]]
        usable = usable or list(range(len(stems)))  # nothing but brands: then that is what they are
        shares = found.held.mean(axis=0)
        covered = np.zeros(len(found.held), bool)
        chosen: list[int] = []
        while usable and len(chosen) < 2 and covered.mean() < SHARED:
            fresh = found.held[~covered].sum(axis=0) / len(covered)  # (c,) share that the term would add
            gains = found.weights * fresh / np.maximum(shares, 1e-9)
            best = max(usable, key=lambda place: (gains[place], -place))
            if chosen and fresh[best] < SECOND * (1 - covered.mean()):
                break
            best = self._fuller(cluster, best, usable)
            chosen.append(best)
            covered |= found.held[:, best]
            usable = [place for place in usable if not _alike(stems[place], stems[best])]
        return tuple(self._written(cluster, place) for place in chosen), float(covered.mean())

    def _fuller(self, cluster: int, word: int, usable: Sequence[int]) -> int:
        """Return the place of the commonest phrase around a word if every second use is that phrase, else the word.

        "wall clock" says more than "clock" where at least half of the clocks are wall clocks.
        """
        found = self._terms[cluster]
        stems = [self._titles.terms[term] for term in found.ids]
        uses = found.held.sum(axis=0)
        around = [
            place for place in usable if set(stems[word]) < set(stems[place]) and uses[place] >= HALF * uses[word]
        ]
        return max(around, key=lambda place: (uses[place], -place), default=word)

    def _written(self, cluster: int, place: int) -> str:
        return self._titles.written(int(self._terms[cluster].ids[place]), self._members[cluster])

    def _stems(self, text: str) -> list[str]:
        return [self._titles.stem(word) for word in words_of(text)]


def _has_letters(text: str) -> bool:
    return any(map(str.isalpha, text))


def _in_sentence(category: str) -> str:
    """Return a category's name as inside a sentence: words small, but USB and TVs keep their capitals."""
    words = category.replace("_", " ").split()
    return " ".join(word.lower() if word[1:].islower() or not word.isalpha() else word for word in words)


def _alike(one: Sequence[str], other: Sequence[str]) -> bool:
    """Return whether two lists of stems have a word in common."""
    return any(_same_word(a, b) for a in one for b in other)


def _same_word(one: str, other: str) -> bool:
    """Return whether two stems are forms of one word, also where no stemmer knows the language: colour, color."""
    common = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return one == other or (common >= 4 and max(len(one), len(other)) - common <= 2)


def _value_counts(products: Sequence[Product], rows: Sequence[int] | Rows) -> Counter[tuple[str, str]]:
    """Return how many of the rows have each (brand or attribute name, value)."""
    counts: Counter[tuple[str, str]] = Counter()
    for row in rows:
        product = products[row]
        counts.update((name, value) for name, values in product.attributes.items() for value in set(values))
        counts[("brand", product.brand)] += bool(product.brand)
    return counts


def _shared_values(products: Sequence[Product], rows: Rows, overall: Counter[tuple[str, str]]) -> dict[str, str]:
    """Return the values that most of the rows have, at least twice as often as all products, most telling first."""
    lifts = {
        pair: np.log(held / len(rows) * len(products) / overall[pair])
        for pair, held in _value_counts(products, rows).items()
        if held >= max(SHARED * len(rows), 2) and _has_letters(pair[1])
    }
    pairs = sorted((pair for pair in lifts if lifts[pair] >= np.log(2)), key=lambda pair: (-lifts[pair], pair))
    return dict(pairs[:SHOWN_ATTRIBUTES])
