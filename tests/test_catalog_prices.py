"""Prices as shops write them."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from indexer.catalog.prices import Money, NotAPrice, currencies_of, decimal_separator, parse_price

MAX = 1e9


@pytest.mark.parametrize(
    ("text", "amount", "currency"),
    [
        ("$1,299.00", 1299.0, "USD"),
        ("19.99 EUR", 19.99, "EUR"),
        ("1.299,00 €", 1299.0, "EUR"),
        ("1 299,00 zł", 1299.0, "PLN"),
        ("1\u202f299,00 €", 1299.0, "EUR"),
        ("1\u00a0299,00", 1299.0, ""),
        ("£12", 12.0, "GBP"),
        ("USD 5", 5.0, "USD"),
        ("EUR19.99", 19.99, "EUR"),
        ("$5 USD", 5.0, "USD"),
        ("Rs. 499", 499.0, "INR"),
        ("₹1,29,900.00", 129900.0, "INR"),
        ("1'299.50 CHF", 1299.5, "CHF"),
        ("1’299.50", 1299.5, ""),
        ("€ 12,-", 12.0, "EUR"),
        ("12.-", 12.0, ""),
        ("99 kr", 99.0, "SEK"),
        ("1,234,567.89", 1234567.89, ""),
        ("1.234.567", 1234567.0, ""),
        ("12,5", 12.5, ""),
        (".99", 0.99, ""),
        ("0.125", 0.12, ""),
        ("1.5e3", 1500.0, ""),
        ("0", 0.0, ""),
        ("١٢٫٥", 12.5, ""),
        ("１２", 12.0, ""),
    ],
)
def test_a_price_is_read_the_same_in_either_convention(text, amount, currency):
    for decimal in ".,":
        money = parse_price(text, decimal, MAX)
        assert money.amount == amount
        assert (money.currencies or ("",))[0] == currency


@pytest.mark.parametrize(("decimal", "dotted", "comma"), [(".", 1.3, 1299.0), (",", 1299.0, 1.3)])
def test_three_digits_after_one_separator_follow_the_column(decimal, dotted, comma):
    assert parse_price("1.299", decimal, MAX).amount == dotted  # 1.299 to two decimals
    assert parse_price("1,299", decimal, MAX).amount == comma


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("-5", "negative"),
        ("$-5", "negative"),
        ("-$5", "negative"),
        ("−5", "negative"),
        ("5-", "negative"),
        ("(5.00)", "negative"),
        ("call us", "no number"),
        ("nan", "no number"),
        ("inf", "no number"),
        ("free", "no number"),
        ("$", "no number"),
        ("10-20", "more than one"),
        ("$10 - $20", "more than one"),
        ("5 for 10", "more than one"),
        ("2x4", "more than one"),
        ("1,2,3", "not grouped"),
        ("12.34.56", "not grouped"),
        ("1 29", "not grouped"),
        ("5 pcs", "no currency"),
        ("50%", "no currency"),
        ("from $5", "no currency"),
        ("$5 EUR", "two currencies"),
        ("1e10", "above"),
        ("9999999999", "above"),
        ("1e999", "above"),
        ("9" * 300, "a text"),
        ("1 " * 100_000, "a text"),
    ],
)
def test_what_is_no_price_says_why(text, why):
    with pytest.raises(NotAPrice, match=why):
        parse_price(text, ".", MAX)


@pytest.mark.parametrize(
    ("column", "separator"),
    [
        (["19.99", "5"], "."),
        (["19,99", "5"], ","),
        (["1.299,00 €", "1.299"], ","),
        (["1,299", "2,499"], "."),
        (["1.299", "499", "2.499"], ","),
        (["12.345", "7.5"], "."),
        (["5", "12", "call us", ""], "."),
        ([], "."),
        (["1,5", "1,5", "2.25"], ","),
        (["1,5", "2.25"], "."),
    ],
)
def test_the_columns_decimal_separator_is_voted_by_what_proves_one(column, separator):
    assert decimal_separator(column) == separator


@pytest.mark.parametrize(
    ("mark", "codes"),
    [
        ("usd", ("USD",)),
        (" € ", ("EUR",)),
        ("kr.", ("SEK", "NOK", "DKK", "ISK")),
        ("A$", ("AUD",)),
        ("pcs", ()),
        ("", ()),
    ],
)
def test_currency_marks_mean_iso_codes(mark, codes):
    assert currencies_of(mark) == codes


AMOUNT = st.integers(0, 99_999_999_999).map(lambda cents: cents / 100)


@given(AMOUNT, st.sampled_from(["", "$", "€ ", "USD "]), st.sampled_from(["", " EUR", " zł", "€"]))
def test_grouped_amounts_come_back_whatever_the_convention(amount, before, after):
    assume(not before or not after)
    english = f"{before}{amount:,.2f}{after}"
    swap = str.maketrans(",.", ".,")
    for text in (english, english.translate(swap), english.translate(swap).replace(".", "\u202f")):
        for decimal in ".,":
            assert parse_price(text, decimal, MAX).amount == amount


@given(AMOUNT)
def test_plain_numbers_come_back(amount):
    assert parse_price(str(amount), ".", MAX) == Money(amount)


@given(st.text(max_size=80) | st.text(alphabet="0123456789.,-$€ '()eE", max_size=20), st.sampled_from(".,"))
def test_any_text_is_a_finite_price_or_refused(text, decimal):
    try:
        money = parse_price(" ".join(text.split()), decimal, MAX)
    except NotAPrice:
        return
    assert math.isfinite(money.amount) and 0 <= money.amount <= MAX


@given(AMOUNT, st.sampled_from(["-{}", "-${}", "$-{}", "- {}", "{}-", "({})", "−{} €"]))
def test_a_minus_is_never_lost(amount, form):
    with pytest.raises(NotAPrice, match="negative"):
        parse_price(form.format(f"{amount:.2f}"), ".", MAX)
