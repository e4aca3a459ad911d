"""Words as they are written and their terms: found from either side, bounded, the same for every thread."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from search.analysis import Analyzer
from search.forms import Forms
from search.marking import Marker


def test_words_are_found_by_their_terms_however_they_are_written() -> None:
    known = Forms(Analyzer().terms_of_word, 100).read("Mugs, (mug) and mug-warmers; AND".split())
    assert set(known.words["mug"]) == {"Mugs,", "(mug)", "mug-warmers;"}
    assert known.terms["and"] == () and set(known.terms) == {"Mugs,", "(mug)", "and", "mug-warmers;", "AND"}


def test_no_more_words_are_kept_than_agreed_and_those_just_asked_for_always() -> None:
    forms = Forms(Analyzer().terms_of_word, 4)
    first = forms.read(["a1", "b1", "c1"])
    assert forms.read(["a1", "d1"]) is first
    second = forms.read(["d1", "e1"])
    assert second is not first and set(second.terms) == {"d1", "e1"}
    assert set(forms.read(list("abcdefgh")).terms) == set("abcdefgh")


def test_a_marker_goes_on_over_what_was_forgotten() -> None:
    analyzer = Analyzer(remembered=3)
    marker = Marker({"red", "mug"}, analyzer)
    for text, marked in (("red cup", [0]), ("blue mugs or Red ones", [1, 3]), ("a plain thing", []), ("mug", [0])):
        assert marker.places(text.split()) == marked


def test_threads_that_read_the_same_words_find_each_once() -> None:
    forms = Forms(Analyzer().terms_of_word, 100_000)
    pages = [[f"word{place}" for place in range(start, start + 300)] for start in range(0, 3000, 50)] * 3
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(forms.read, pages))
    assert all(known.terms[word] for known, page in zip(found, pages, strict=True) for word in page)
    assert all(len(set(words)) == len(words) for words in forms.read([]).words.values())
