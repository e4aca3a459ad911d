"""Reading queries, judgments and runs: what is kept letter for letter, and what is refused with its place."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.evaluation.judgments import read_judgments, read_kinds, read_queries, read_run, write_run
from search.errors import EvaluationError


@pytest.fixture
def written(tmp_path):
    """Return a function that writes bytes or text to a file and gives its path."""

    def write(content: bytes | str, name: str = "input.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
        return path

    return write


def test_queries_come_in_file_order_and_ids_keep_their_leading_zeros(written):
    path = written('query_id,query\n007,red mug\n7,"mug, blue"\n')
    assert list(read_queries(path).items()) == [("007", "red mug"), ("7", "mug, blue")]


def test_columns_may_come_in_any_order_with_others_beside_them(written):
    path = written("note,GRADE,product_id,query_id\nx,2.5,01,q1\n")
    assert read_judgments(path) == {"q1": {"01": 2.5}}


@pytest.mark.parametrize("separator", [",", "\t", ";"])
def test_comma_tab_and_semicolon_are_understood(written, separator):
    lines = [["query_id", "product_id", "grade"], ["q1", "p1", "3"], ["q1", "p2", "0"]]
    path = written("\r\n".join(separator.join(line) for line in lines))
    assert read_judgments(path) == {"q1": {"p1": 3.0, "p2": 0.0}}


def test_gzip_is_recognised_by_content_and_a_byte_order_mark_is_dropped(written):
    path = written(gzip.compress(b"\xef\xbb\xbfquery_id,query\nq1,mug\n"), "queries.csv")
    assert read_queries(path) == {"q1": "mug"}


def test_trec_qrels_are_read_and_encoded_blanks_come_back(written):
    path = written("q1 0 007 3\nq1\t0\tA%20B\t1.5\n\nq2 0 007 -1\n", "judged.qrels")
    assert read_judgments(path) == {"q1": {"007": 3.0, "A B": 1.5}, "q2": {"007": -1.0}}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is empty"),
        (" \n\n", "is empty"),
        ("query_id,product_id,grade\n", "no rows"),
        ("query_id,product,grade\nq1,p1,3\n", "line 1: no column product_id"),
        ("q1,p1,3\n", "line 1: no column query_id, product_id, grade"),
        ("query_id,product_id,grade\nq1,p1,3\nq1,p2,good\n", 'line 3, column grade: "good" is not a number'),
        ("query_id,product_id,grade\nq1,p1,nan\n", "line 2, column grade"),
        ("query_id,product_id,grade\nq1,p1,inf\n", "line 2, column grade"),
        ("query_id,product_id,grade\nq1,p1,1_0\n", "line 2, column grade"),
        ("query_id,product_id,grade\nq1,p1,100\n", "line 2, column grade: 100 is above 30"),
        ("query_id,product_id,grade\nq1,,3\n", "line 2, column product_id: is empty"),
        ("query_id,product_id,grade\nq1,p1,3\nq2,p1,3\nq1,p1,2\n", 'line 4, column product_id: "p1" was judged'),
        ("query_id,product_id,grade\nq1,p1\n", "line 2: 2 columns where the header has 3"),
        ('query_id,product_id,grade\nq1,"p1,3\n', "broken CSV"),
        (b"query_id,product_id,grade\nq1,caf\xe9,3\n", "line 2, byte 7: not UTF-8"),
        ("query_id,product_id,grade\nq1,p1,3\n".encode("utf-16"), "not UTF-8"),
        (gzip.compress(b"query_id,product_id,grade\nq1,p1,3\n" * 50)[:40], "damaged gzip"),
        ("q1 0 p1 3\nq1 0 p2 x\n", "line 2, column grade"),
        ("q1 0 p1 3\nq1 0 two words 3\n", "line 2: 5 fields"),
        ("q1 0 p1 3\nq1 0 p1 3\n", "line 2, column product_id"),
    ],
)
def test_hostile_judgments_are_refused_with_their_place(written, content, said):
    path = written(content)
    with pytest.raises(EvaluationError) as refusal:
        read_judgments(path)
    assert str(path) in str(refusal.value)
    assert said in str(refusal.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(EvaluationError, match=r"nowhere\.csv cannot be read"):
        read_queries(tmp_path / "nowhere.csv")


def test_a_query_given_twice_is_refused(written):
    with pytest.raises(EvaluationError, match="line 3, column query_id"):
        read_queries(written("query_id,query\nq1,mug\nq1,cup\n"))


def test_a_run_is_ordered_by_score_and_equal_scores_by_rank(written):
    path = written("q1 Q0 c 3 0.5 t\nq1 Q0 b 2 0.5 t\nq1 Q0 a 1 0.25 t\nq1 Q0 d 9 7e-1 t\n", "run.trec")
    assert read_run(path) == {"q1": [("d", 0.7), ("b", 0.5), ("c", 0.5), ("a", 0.25)]}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is empty"),
        ("q1 Q0 p1 1 0.5\n", "line 1: 5 fields"),
        ("q1 Q0 p1 one 0.5 t\n", "line 1, column rank"),
        ("q1 Q0 p1 1 high t\n", "line 1, column score"),
        ("q1 Q0 p1 1 nan t\n", "line 1, column score"),
        ("q1 Q0 p1 1 0.5 t\nq1 Q0 p1 2 0.4 t\n", 'line 2, column product: "p1" was ranked before'),
    ],
)
def test_hostile_runs_are_refused_with_their_place(written, content, said):
    with pytest.raises(EvaluationError) as refusal:
        read_run(written(content, "run.trec"))
    assert said in str(refusal.value)


def test_a_written_run_is_what_trec_tools_read(tmp_path):
    write_run(tmp_path / "run.trec", {"q1": [("A B", 0.5), ("50%", 0.25)]}, "my run")
    expected = "q1 Q0 A%20B 1 0.5 my%20run\nq1 Q0 50%25 2 0.25 my%20run\n"
    assert (tmp_path / "run.trec").read_text("utf-8") == expected


def test_percent_signs_of_other_tools_stay(written):
    path = written("q1 Q0 50%off 1 2 t\nq1 Q0 x%41 2 1 t\n", "run.trec")
    assert read_run(path) == {"q1": [("50%off", 2.0), ("x%41", 1.0)]}


ids = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
scores = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=6)


@given(st.dictionaries(ids, st.tuples(st.lists(ids, min_size=6, max_size=6, unique=True), scores), max_size=4))
def test_every_run_survives_writing_and_reading(tmp_path_factory, content):
    run = {
        query_id: list(zip(products, sorted(values, reverse=True), strict=False))
        for query_id, (products, values) in content.items()
    }
    path = tmp_path_factory.mktemp("runs") / "run.trec.gz"
    write_run(path, run, "tag")
    if run:
        assert read_run(path) == run
    else:
        assert gzip.decompress(path.read_bytes()) == b""


@pytest.mark.parametrize("ranking", [[("a", 0.1), ("b", 0.2)], [("a", float("nan"))], [("", 1.0)]])
def test_a_run_that_other_tools_would_read_differently_is_not_written(tmp_path, ranking):
    with pytest.raises(EvaluationError, match='query "q1", rank'):
        write_run(tmp_path / "run.trec", {"q1": ranking}, "t")
    assert not (tmp_path / "run.trec").exists()


def test_kinds_of_queries_are_read_where_there_are_any(tmp_path: Path) -> None:
    path = tmp_path / "queries.csv"
    path.write_text("query_id,query,kind\nq1,red dress,type\nq2,kit 0226,sku\n", "utf-8")
    assert read_kinds(path) == {"q1": "type", "q2": "sku"}
    path.write_text("query_id,query\nq1,red dress\n", "utf-8")
    assert read_kinds(path) == {}
    path.write_text("query_id,query,kind\nq1,red dress,\n", "utf-8")
    with pytest.raises(EvaluationError, match="kind"):
        read_kinds(path)
