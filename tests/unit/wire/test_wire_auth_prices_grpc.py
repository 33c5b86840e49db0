"""Tokens, prices and gRPC framing."""

from __future__ import annotations

from fractions import Fraction

import pytest

from livepeer.wire import auth, grpc, prices
from livepeer.wire import lp_rpc_pb2 as pb
from livepeer.wire.auth import AuthToken
from livepeer.wire.errors import PeerProtocolError

SECRET = bytes(range(32))
TOKEN = auth.mint(SECRET, "a1b2c3d4", expiration=1700000000)


def test_tokens_are_the_known_ones() -> None:
    assert TOKEN.token.hex() == "aff653fc851bfe3c7d7956d18895c1412fe39ac2a58d482618dd5bdf335c2647"
    other = auth.mint(b"foo", "bar", expiration=100)
    assert other.token.hex() == "e896e58f32128ad59566fbef0ae8d4b702f6f08cdfe3f17b544696016f5e5423"


def test_a_token_opens_a_session_until_it_expires() -> None:
    assert auth.check(TOKEN, SECRET, now=1700000000) is TOKEN
    with pytest.raises(PeerProtocolError, match=r"^expired auth token$"):
        auth.check(TOKEN, SECRET, now=1700000000.5)


@pytest.mark.parametrize(
    ("token", "text"),
    [
        (None, "missing auth token"),
        (AuthToken(b"", "", 0), "invalid auth token"),
        (AuthToken(TOKEN.token, "a1b2c3d5", TOKEN.expiration), "invalid auth token"),
        (AuthToken(TOKEN.token, TOKEN.session_id, TOKEN.expiration + 1), "invalid auth token"),
        (AuthToken(TOKEN.token[:-1], TOKEN.session_id, TOKEN.expiration), "invalid auth token"),
    ],
)
def test_other_tokens_are_refused(token: AuthToken | None, text: str) -> None:
    with pytest.raises(PeerProtocolError) as caught:
        auth.check(token, SECRET, now=0)
    assert caught.value.text == text
    assert caught.value.status == 403


def test_an_expired_token_is_still_authentic() -> None:
    assert auth.is_authentic(TOKEN, SECRET)
    assert not auth.is_authentic(TOKEN, b"other")


@pytest.mark.parametrize(
    ("text", "price"),
    [("1200", Fraction(1200)), ("11/20", Fraction(11, 20)), ("0", Fraction(0)), ("4/2", Fraction(2))],
)
def test_prices_are_read_exactly(text: str, price: Fraction) -> None:
    assert prices.parse_price(text) == price
    assert prices.parse_price(prices.format_price(price)) == price


@pytest.mark.parametrize("text", ["", "-1", "1/0", "1.5", "1 wei", "1/2/3", " 1"])
def test_what_is_no_price_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a price is"):
        prices.parse_price(text)


@pytest.mark.parametrize(
    ("price", "wire"),
    [
        (Fraction(101), (101, 1)),
        (Fraction(101, 1000), (101, 1000)),
        (Fraction(2525, 1000), (101, 40)),
        (Fraction(0), (0, 1)),
        (Fraction(2**63 - 1), (2**63 - 1, 1)),
        (Fraction(2**64 + 1, 2), (2**63, 1)),
        (Fraction(2**63 + 1, 2), (2**62, 1)),
        (Fraction(1, 2**63), (0, 1)),
    ],
)
def test_prices_on_the_wire(price: Fraction, wire: tuple[int, int]) -> None:
    if wire[0] > 2**63 - 1:
        with pytest.raises(ValueError, match="the wire carries at most"):
            prices.to_wire(price)
        return
    message = prices.to_wire(price)
    assert (message.pricePerUnit, message.pixelsPerUnit) == wire


@pytest.mark.parametrize("sent", [(1, 0), (1, -1), (-1, 1), (0, 0)])
def test_a_price_without_meaning_is_refused(sent: tuple[int, int]) -> None:
    with pytest.raises(PeerProtocolError, match="invalid expected price sent with payment err="):
        prices.from_wire(pb.PriceInfo(pricePerUnit=sent[0], pixelsPerUnit=sent[1]))


def test_a_negative_price_never_reaches_the_wire() -> None:
    with pytest.raises(ValueError, match="never negative"):
        prices.to_wire(Fraction(-1))


def test_a_frame_is_taken_apart_when_it_is_whole() -> None:
    framed = grpc.frame(b"abc")
    assert framed == b"\0\0\0\0\3abc"
    assert [grpc.unframe(framed[:size]) for size in range(len(framed))] == [None] * len(framed)
    assert grpc.unframe(framed + b"rest") == (b"abc", b"rest")


def test_a_large_message_is_refused_by_its_prefix() -> None:
    with pytest.raises(PeerProtocolError) as caught:
        grpc.unframe(b"\0" + (5 << 20).to_bytes(4))
    assert caught.value.text == "grpc: received message larger than max (5242880 vs. 4194304)"


def test_a_compressed_message_is_refused() -> None:
    with pytest.raises(PeerProtocolError, match="compressed"):
        grpc.unframe(b"\1\0\0\0\0")


@pytest.mark.parametrize(
    ("text", "header"),
    [("plain, text", "plain, text"), ("100 %", "100 %25"), ("a\nb", "a%0Ab"), ("ü", "%C3%BC")],
)
def test_error_texts_are_percent_encoded(text: str, header: str) -> None:
    assert grpc.encode_message(text) == header
    assert grpc.decode_message(header) == text


def test_a_broken_escape_stays_as_it_is() -> None:
    assert grpc.decode_message("50% off %zz %C3") == "50% off %zz �"
