"""What a card shows, settled at build: where words may stand misses none, and what is told is what a slow way tells."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest
from conftest import SHOP, open_engine, write_release
from hypothesis import given, settings
from hypothesis import strategies as st
from shop_fixtures import Shop

import indexer.shown
from indexer.shown import write_shown
from indexer.telling import told_of
from search.analysis import Analyzer, compounds_of
from search.errors import ReleaseDamaged
from search.home import Layout
from search.passages import SENTENCE_END, passage_and_description, passage_of, sentence_key, without_sentences
from search.product import Product
from search.release import verify
from search.segments import segment_spans
from search.shown import (
    BRAND,
    IS_ELSEWHERE,
    IS_TITLE,
    LEAF,
    MANY,
    MORE,
    NO_WORD,
    SAYS_NO_MORE,
    VALUES,
    Places,
    ShownTexts,
    number_of,
    numbers_of,
)
from search.wording import says_more

PIECES = (
    "key chain keychain key-chain t-shirt tshirt 12 oz 12oz 12-ounce ounces fl. 3.5 inch 10-inch café men's the it "
    'running shoes, (red) steel|cup 8.5 x 11 USB-C wd-40 wd40 Ⅻ über-cool 12" 1,200 … — 500, and/or IT ½ a\u00a0b '
    "\u00b4"
).split(" ")
COMPOUNDS = compounds_of(["key chain", "keychain", "t-shirt", "i-t", "wd-40", "uber-cool"], "en")


def drawn(chance: Random, most: int) -> str:
    return " ".join(chance.choices(PIECES, k=chance.randrange(1, most)))


def shelf(count: int) -> list[Product]:
    chance = Random(5)
    return [
        Product(
            str(number), drawn(chance, 9), drawn(chance, 60), ("x", drawn(chance, 3)), drawn(chance, 3),
            attributes={"a": (drawn(chance, 4), "much too long to be shown on a card, so not read"), "b": ("12 oz",)},
        )
        for number in range(count)
    ]  # fmt: skip


def shown(folder: Path, products: Sequence[Product], analyzer: Analyzer, dropped: Collection[str] = ()) -> ShownTexts:
    """What is written of products that have one segment each, their whole passage."""
    layout = Layout(folder)
    layout.segments.mkdir(parents=True)
    np.save(layout.segments / "starts.npy", np.arange(len(products) + 1))
    np.save(layout.spans, np.array([[0, len(passage_of(one))] for one in products], np.int32))
    write_shown(layout, products, dropped, analyzer, np.full(len(products), -1), None)
    return ShownTexts.load(layout.shown, analyzer)


# -- where words may stand --


def test_no_word_that_holds_a_term_stands_where_it_is_not_looked_for(tmp_path: Path) -> None:
    analyzer, products = Analyzer("en", COMPOUNDS), shelf(60)
    index = shown(tmp_path, products, analyzer)
    rows = np.array([7, *range(60), 7])  # neighbours, and one twice
    looked_at = 0
    for term in {
        term for piece in PIECES for term in (*analyzer.terms_of_word(piece), *analyzer.terms_of_value(piece))
    }:
        for row, places in zip(rows.tolist(), index.places(rows, [term]), strict=True):
            product = products[row]

            def holds(piece: str, term: str = term) -> bool:
                return term in analyzer.terms_of_word(piece) | analyzer.terms_of_value(piece)

            for pieces, found in (
                (product.title.split(" "), places.title), (product.description.split(), places.description)
            ):  # fmt: skip
                assert {place for place, piece in enumerate(pieces) if holds(piece)} <= set(found)
                assert found == sorted(found) and max(found, default=0) < len(pieces)
                looked_at += len(found) < len(pieces)
            texts = {BRAND: product.brand, LEAF: product.category[-1], VALUES: product.attributes["a"][0]}
            assert {text for text, value in texts.items() if any(map(holds, value.split()))} <= places.texts
            assert places.texts <= {*texts, VALUES + 1}  # a long value is no text of a card
    assert looked_at > 1000  # not that all were to be looked at


@settings(max_examples=1500, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.sampled_from([*PIECES, "key", "chain", "t", "shirt"]), st.text("aZé1.,-'’/½ǅ\u00b4x\"½5ｗ９", max_size=4)
        ),
        max_size=4,
    ).map("".join)
)
def test_a_word_has_no_term_that_is_not_among_the_possible(text: str) -> None:
    analyzer = Analyzer("en", COMPOUNDS)
    for piece in {*text.split(), *text.split(" ")}:
        possible = analyzer.possible_terms(piece)
        assert possible == Analyzer("en").possible_terms(piece)  # whatever the compounds
        parts = {analyzer.term_of(part) for joined, parts in COMPOUNDS.items() if joined in possible for part in parts}
        assert analyzer.terms_of_word(piece) | analyzer.terms_of_value(piece) <= possible | parts


def test_a_word_of_very_many_terms_is_always_looked_at() -> None:
    analyzer = Analyzer()
    assert numbers_of("a/b/c/d/e/f/g", analyzer) == [MANY]
    assert numbers_of("…", analyzer) == [NO_WORD] and numbers_of("Mugs,", analyzer) == [number_of("mug")]
    first, *more = numbers_of("t-shirt", analyzer)
    assert {first, *(number - MORE for number in more)} == set(map(number_of, ("t", "shirt", "tshirt")))


def test_numbers_tell_terms_apart_from_what_is_none() -> None:
    numbers = {number_of(f"term{place}") for place in range(200_000)}
    assert min(numbers) > NO_WORD and max(numbers) < MANY
    assert len(numbers) > 30_000
    assert number_of("half \ud800") == number_of("half \ud800")


def test_nothing_is_read_for_no_rows_and_a_product_without_texts_has_no_places(tmp_path: Path) -> None:
    index = shown(tmp_path, [Product("1", "…")], Analyzer())
    assert index.places(np.zeros(0, np.int64), ["red"]) == []
    assert index.places(np.array([0]), ["red"]) == [Places([], [], set())]


# -- what is told --

SENTENCES = (
    "Made by hand.", "Never wet!", "color: red", "Free delivery over $40.", "It stands on any desk; or table.", "Plain",
    "A key chain of steel.", "Lamp of leather.", "One two three four " * 8, "a|b red", "• dot", "One. Two", ". ;",
    "e.g. this",
)  # fmt: skip
DROPPED = [(), (sentence_key("Free delivery over $40."),), (sentence_key("Made by hand."), sentence_key("Plain"))]


def told_slowly(product: Product, dropped: Collection[str], start: int, end: int, analyzer: Analyzer) -> str | None:
    """What is said of a segment of a description, by way of the passage; None where it only says the title again."""
    own = without_sentences(product, dropped)
    passage, begins = passage_and_description(own)
    assert begins is not None
    first = begins
    ends = [begins + found.end() for found in SENTENCE_END.finditer(passage[begins:])]
    first = max([first, *(cut for cut in ends if cut <= start)])
    last = min([cut for cut in ends if cut > start] or [len(passage)])
    if len(passage[first:last].split()) > 26:
        first, last = start, end
    told = passage[first:last].rstrip(";. \t\n")
    if told and not says_more(told, product, analyzer):
        return None
    return told + (" …" if last == len(passage) and len(own.description.split()) > 60 else "")


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(SENTENCES), st.sampled_from([" ", "\n", "  ", " | "])), max_size=9),
    st.sampled_from(["Lamp", "Key chain of steel", "Plain thing"]),
    st.sampled_from(DROPPED),
)
def test_what_is_told_is_cut_out_of_the_description_as_it_stands(
    parts: list[tuple[str, str]], title: str, dropped: Collection[str]
) -> None:
    analyzer = Analyzer("en", COMPOUNDS)
    product = Product("1", title, "".join(f"{text}{blank}" for text, blank in parts).strip(), ("Home", "Lamps"), "Norr")
    own = without_sentences(product, dropped)
    passage, begins = passage_and_description(own)
    spans = segment_spans(passage)
    for (start, end), (first, last) in zip(spans, told_of(product, dropped, spans, analyzer), strict=True):
        if begins is None or start < begins:
            assert first == (IS_ELSEWHERE if start or begins is None else IS_TITLE)
            continue
        slow = told_slowly(product, dropped, start, end, analyzer)
        if first == SAYS_NO_MORE:
            assert slow is None or own is not product
            continue
        text = " ".join(product.description[first : abs(last)].split()) + (" …" if last < 0 else "")
        assert text == slow or (own is not product and text.removesuffix(" …") in passage)  # not over what was dropped


def test_a_sentence_is_told_between_two_that_were_dropped() -> None:
    product = Product("1", "Lamp", "Free delivery!\nIt stands on\n any desk.  Free delivery!\nMade of old oak")
    dropped = ("free delivery!",)
    passage = passage_of(without_sentences(product, dropped))
    spans = segment_spans(passage)
    assert [passage[start:end] for start, end in spans] == ["Lamp. ", "It stands on any desk. ", "Made of old oak"]
    (title, _), *told = told_of(product, dropped, spans, Analyzer())
    assert title == IS_TITLE
    assert [product.description[start:end] for start, end in told] == ["It stands on\n any desk", "Made of old oak"]


def test_what_only_came_together_because_a_sentence_was_dropped_is_told_in_its_part() -> None:
    product = Product("1", "Lamp", "Stands on any oak desk\nFree delivery!\nMade of old brass | red; and of black wood")
    dropped = ("free delivery!",)
    spans = segment_spans(passage_of(without_sentences(product, dropped)))
    told = [product.description[start:end] for start, end in told_of(product, dropped, spans, Analyzer())[1:]]
    assert told == ["Stands on any oak desk", "red; and of black wood"]
    long = replace(product, description=product.description.replace("oak", "oak " * 30))
    spans = segment_spans(passage_of(without_sentences(long, dropped)))
    (start, end), _ = told_of(long, dropped, spans, Analyzer())[1:]
    assert long.description[start:end] == "Stands on any " + "oak " * 30 + " desk"


def test_segments_that_are_not_known_tell_nothing() -> None:
    product = Product("1", "Lamp", "Stands on any desk.")
    assert told_of(product, (), [(-1, -1), (-1, -1)], Analyzer()) == [(IS_ELSEWHERE, 0)] * 2


# -- files --


@pytest.mark.parametrize("damage", ["missing", "truncated", "other starts", "empty product", "wrong type", "cut told"])
def test_damage_is_named(tmp_path: Path, damage: str) -> None:
    index = shown(tmp_path, shelf(3), Analyzer())
    folder = Layout(tmp_path).shown
    if damage == "missing":
        (folder / "words.npy").unlink()
    elif damage == "truncated":
        (folder / "words.npy").write_bytes((folder / "words.npy").read_bytes()[:150])
    elif damage == "other starts":
        np.save(folder / "starts.npy", index.starts + 1)
    elif damage == "empty product":
        np.save(folder / "starts.npy", index.starts[[0, 1, 1, 3]])
    elif damage == "wrong type":
        np.save(folder / "words.npy", index.words.astype(np.int32))
    else:
        np.save(folder / "told.npy", index.told[:, :1])
    with pytest.raises(ReleaseDamaged, match="build the release again"):
        ShownTexts.load(folder, Analyzer())


def test_texts_of_another_catalog_are_refused_with_the_release(tmp_path: Path) -> None:
    for part, cut in (("starts.npy", slice(None, 2)), ("told.npy", slice(None, 1))):
        layout = write_release(tmp_path / part, SHOP)
        whole = np.load(layout.shown / part)
        np.save(layout.shown / part, whole[cut])
        if part == "starts.npy":
            words = np.load(layout.shown / "words.npy")
            np.save(layout.shown / "words.npy", words[: whole[1]])
        with pytest.raises(ReleaseDamaged, match=r"shown texts 1|told sentences"):
            open_engine(layout)


def test_words_that_are_not_what_the_build_wrote_are_an_error_and_no_crash(tmp_path: Path) -> None:
    index = shown(tmp_path, shelf(9), Analyzer())
    strange = Random(1)
    for _ in range(200):
        words = index.words.copy()
        words[strange.randrange(len(words))] = strange.randrange(1 << 16)
        words[int(index.starts[strange.randrange(9)])] = strange.choice([5, MANY, MORE])
        with pytest.raises(ReleaseDamaged, match="build the release again"):
            ShownTexts(words, index.starts, index.told, Analyzer()).places(np.arange(9), ["red"])
    with (Layout(tmp_path).shown / "words.npy").open("r+b") as file:
        file.truncate(140)
    with pytest.raises(ReleaseDamaged, match=r"words\.npy has become shorter"):
        index.places(np.array([8]), ["red"])


def test_what_did_not_change_is_taken_from_the_live_release_and_nobody_can_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop, anew = Shop(tmp_path), Shop(tmp_path / "anew")
    (tmp_path / "anew").mkdir()
    shop.build()
    shop.rows[3][2] = "For evenings. And t-shirt weather in a tshirt."  # a compound, and a text that changed
    shop.rows.insert(0, ["0000", "Desk", "Stands on its feet.", "", "5", "Home"])
    anew.rows = shop.rows
    written: list[str] = []
    monkeypatch.setattr(indexer.shown, "told_of", lambda one, *rest: written.append(one.id) or told_of(one, *rest))
    files = shop.build().manifest["files"]
    assert written == ["0000", "0004"]
    whole = anew.build().manifest["files"]
    assert len(written) == 2 + len(anew.rows)
    names = [name for name in whole if name.startswith("shown/")]
    assert len(names) == 5 and [files[name] for name in names] == [whole[name] for name in names]


@pytest.mark.parametrize("harm", ["code", "words", "segments"])
def test_nothing_is_taken_from_files_that_other_code_wrote_or_that_are_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harm: str
) -> None:
    shop = Shop(tmp_path)
    live = shop.build().layout
    names = {"code": "shown/written_by", "words": "shown/words.npy", "segments": "segments/starts.npy"}
    path = live.folder / names[harm]
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    written: list[str] = []
    monkeypatch.setattr(indexer.shown, "told_of", lambda one, *rest: written.append(one.id) or told_of(one, *rest))
    assert verify(shop.build().layout) == []
    assert len(written) == len(shop.rows)
