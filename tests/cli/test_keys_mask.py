"""Keys are taken out of a stream of bytes, however it comes in pieces, and all else stays as it is."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.cli.keys_mask import OutputMask
from sentient_cli.secret_forms import forms_of

KEY = "sk-proj-0123456789abcdefXYZ"
OTHER = "sk-proj-0123/456+789 é"


def _all(mask: OutputMask, *pieces: bytes) -> bytes:
    return b"".join([*map(mask.feed, pieces), mask.expire()])


@pytest.mark.parametrize("form", sorted({form for key in (KEY, OTHER) for form in forms_of(key)}))
def test_every_form_of_a_key_is_masked_at_every_border(form: str) -> None:
    data = form.encode()
    for at in range(len(data) + 1):
        shown = _all(OutputMask([KEY, OTHER]), b"<" + data[:at], data[at:] + b">")
        assert shown.startswith(b"<[redacted]")
        assert data not in shown
        assert len(shown) <= len(b"<[redacted]==>")


def test_a_key_in_single_bytes() -> None:
    pieces = [bytes([byte]) for byte in b"a " + KEY.encode() + b" b"]
    assert _all(OutputMask([KEY]), *pieces) == b"a [redacted] b"


@given(st.lists(st.one_of(st.binary(max_size=40), st.sampled_from([KEY.encode(), KEY.encode()[:9], b"sk-", b"\xff"]))))
def test_the_pieces_do_not_matter(pieces: list[bytes]) -> None:
    assert _all(OutputMask([KEY]), *pieces) == _all(OutputMask([KEY]), b"".join(pieces))


@given(st.binary())
def test_what_is_no_key_stays(data: bytes) -> None:
    assert _all(OutputMask([KEY, OTHER]), data) == data
    assert _all(OutputMask([]), data) == data


def test_in_base64_among_other_text() -> None:
    for before in ("", "a", "ab", "abc"):
        encoded = base64.b64encode(f"{before}{KEY} and more".encode())
        assert b"[redacted]" in _all(OutputMask([KEY]), encoded)


def test_a_short_beginning_is_let_through_and_the_key_known_all_the_same() -> None:
    mask = OutputMask([KEY])
    assert (mask.feed(b"> sk-pr"), mask.waits) == (b"> ", True)
    assert (mask.expire(), mask.waits) == (b"sk-pr", False)
    assert mask.feed(KEY.encode()[5:] + b"\n") == b"[redacted]\n"


def test_a_long_beginning_is_never_shown() -> None:
    mask = OutputMask([KEY])
    assert mask.feed(KEY.encode()[:20]) == b""
    assert mask.expire() == b"[redacted]"
    assert mask.feed(KEY.encode()[20:22]) == b""
    assert mask.expire() == b""
    assert mask.feed(KEY.encode()[22:] + b"\n") == b"\n"


def test_what_was_taken_for_a_beginning_and_is_none() -> None:
    mask = OutputMask([KEY])
    assert mask.feed(b"sk-") + mask.expire() + mask.feed(b"ies are blue") == b"sk-ies are blue"
    assert mask.feed(KEY.encode()[:15]) + mask.expire() + mask.feed(b"!") == b"[redacted]!"


def test_short_values_are_not_masked() -> None:
    assert _all(OutputMask(["on", ""]), b"on and on") == b"on and on"
