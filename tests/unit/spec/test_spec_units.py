"""Amounts in the field's habit are read exactly, and what cannot be read says why."""

from __future__ import annotations

from fractions import Fraction

import pytest

from reconciler.spec.hints import explain
from reconciler.spec.prices import Currency, Price, Relative
from reconciler.spec.units import (
    AI_UNITS,
    UnitError,
    read_duration,
    read_lpt,
    read_percent,
    read_price,
    read_price_or_percent,
    read_size,
    read_wei,
    render_duration,
    render_percent,
    render_price,
    render_size,
    render_wei,
    shown_ether,
    shown_wei,
)


@pytest.mark.parametrize(
    ("text", "wei"),
    [
        ("1200 wei", Fraction(1200)),
        ("0.5 wei", Fraction(1, 2)),
        ("2 gwei / 1e6 pixels", Fraction(2000)),
        ("1 ETH / 1e15 pixels", Fraction(1000)),
        ("1200wei", Fraction(1200)),
        ("1200 wei / pixel", Fraction(1200)),
        ("0 wei", Fraction(0)),
    ],
)
def test_prices_in_ether_are_exact_wei_per_pixel(text, wei):
    assert read_price(text) == Price(wei, Currency.WEI)


def test_a_price_in_dollars_keeps_its_currency():
    price = read_price("0.55 USD / 1e12 pixels")
    assert price == Price(Fraction(55, 10**14), Currency.USD)
    assert price.wei is None


def test_a_discount_is_relative():
    assert read_price_or_percent("-15%") == Relative(Fraction(-15, 100))
    assert Relative(Fraction(-15, 100)).of(Fraction(1200)) == 1020


def test_ai_prices_name_other_units():
    assert read_price("0.18 USD / 1e6 tokens", AI_UNITS).currency is Currency.USD
    with pytest.raises(UnitError, match="tokens"):
        read_price("1 wei / 1e6 tokens")


@pytest.mark.parametrize(
    ("reader", "text", "value"),
    [
        (read_wei, "0.3 ETH", 3 * 10**17),
        (read_wei, "8 gwei", 8 * 10**9),
        (read_wei, "8e9 wei", 8 * 10**9),
        (read_lpt, "15000 LPT", 15000 * 10**18),
        (read_size, "4 GiB", 4 * 2**30),
        (read_size, "300 MB", 300_000_000),
        (read_size, "0.5 KiB", 512),
        (read_percent, "10%", Fraction(1, 10)),
        (read_percent, "2.5 %", Fraction(1, 40)),
        (read_duration, "48h", 172_800),
        (read_duration, "1h30m", 5400),
        (read_duration, "2.5s", Fraction(5, 2)),
        (read_duration, "250ms", Fraction(1, 4)),
        (read_duration, "7d", 604_800),
    ],
)
def test_amounts_are_read_in_their_smallest_unit(reader, text, value):
    assert reader(text) == value


@pytest.mark.parametrize(
    ("reader", "text"),
    [
        (read_wei, "0.5 wei"),
        (read_wei, "1200"),
        (read_wei, "-1 wei"),
        (read_wei, "1e999 wei"),
        (read_price, "1 wei / 0 pixels"),
        (read_price, "1,200 wei"),
        (read_price, "9" * 50 + " wei"),
        (read_price, "1200 WEI"),
        (read_size, "0.3 B"),
        (read_percent, "10"),
        (read_duration, "30"),
        (read_duration, ""),
        (read_duration, "30m1h"),
        (read_duration, "1 h"),
        (read_price_or_percent, "15%"),
    ],
)
def test_what_is_not_an_exact_amount_is_refused(reader, text):
    with pytest.raises(UnitError):
        reader(text)


@pytest.mark.parametrize(
    ("unit", "text", "instead"),
    [
        ("price", "1200", "1200 wei"),
        ("price", "1,200 wei", "1200 wei"),
        ("price", "1200 WEI", "1200 wei"),
        ("price", "0.55 usd / 1e12 pixels", "0.55 USD / 1e12 pixels"),
        ("wei", "0.3 eth", "0.3 ETH"),
        ("lpt", "15000", "15000 LPT"),
        ("duration", "30", "30s"),
        ("size", "4 gib", "4 GiB"),
        ("percent", "15", "15%"),
        ("percent", "0.15", "15% or 0.15%"),
        ("uri", "fra.example.com", "https://fra.example.com:8935"),
        ("uri", "https://fra.example.com", "https://fra.example.com:8935"),
        ("uri", "https://fra.example.com:8935/", "https://fra.example.com:8935"),
        ("uri", "https://fra.example.com:8935/live?x=1", "https://fra.example.com:8935"),
        ("uri", "https://me@fra.example.com:8935", "https://fra.example.com:8935"),
        ("uri", "ftp://fra.example.com:8935", "https://fra.example.com:8935"),
        ("uri", "https://fra.example.com:port", "https://HOST:8935"),
        ("endpoint", ":8935", "0.0.0.0:8935"),
        ("localEndpoint", "7935", "127.0.0.1:7935"),
        ("endpoint", "::1", "[::1]:8935"),
        ("endpoint", "10.0.0.1", "10.0.0.1:8935"),
        ("address", "a" * 40, "0x" + "a" * 40),
        ("secret", "$RPC_KEY", '"${env:RPC_KEY}"'),
        ("secret", "/run/secrets/tls", '"${file:/run/secrets/tls}"'),
    ],
)
def test_a_hint_says_what_to_write_instead(unit, text, instead):
    assert explain(unit, text)[1] == instead


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (render_price(Price(Fraction(1200), Currency.WEI)), "1200 wei"),
        (render_price(Price(Fraction(1, 3), Currency.WEI)), "1 wei / 3 pixels"),
        (render_price(read_price("0.55 USD / 1e12 pixels")), "0.55 USD / 1000000000000 pixels"),
        (render_percent(Fraction(1, 40)), "2.5%"),
        (render_percent(Fraction(1, 10), signed=True), "+10%"),
        (render_wei(3 * 10**17), "0.3 ETH"),
        (render_wei(1200), "1200 wei"),
        (render_size(2**32), "4 GiB"),
        (render_size(0), "0 B"),
        (render_duration(5400), "1h30m"),
        (render_duration(0), "0s"),
        (shown_wei(Fraction(5 * 10**15)), "5·10^15 wei"),
        (shown_wei(Fraction(1400)), "1400 wei"),
        (shown_ether(Fraction(5 * 10**15) * 1024 * 1024), "5,243"),
    ],
)
def test_amounts_are_shown_as_people_write_them(text, expected):
    assert text == expected
