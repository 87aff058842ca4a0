"""The one redactor."""

from __future__ import annotations

import base64
import json
import logging
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.redact import MAX_MATCH, MIN_SECRET, REDACTED, RedactingFilter, Redactor, is_secret_name

SECRET = 'pa/ss "wörd"+\\%=1'
_JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N"
_KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAKC\n-----END RSA PRIVATE KEY-----"
_WORDS = st.sampled_from(
    [
        "token=",
        "Bearer ",
        "abcdef123456",
        "sk-",
        "a" * 20,
        "0" * 17,
        "AKIA",
        "://u:",
        "https://",
        "@host",
        " ",
        "\n",
        '"',
        "'",
        "\\",
        "-----BEGIN PRIVATE KEY-----",
        "-----END PRIVATE KEY-----",
        _JWT,
        SECRET,
        SECRET[:5],
        "password",
        ": ",
        "none",
    ]
)
_TEXT = st.lists(_WORDS | st.text(max_size=4), max_size=25).map("".join)


@pytest.fixture
def redactor() -> Redactor:
    found = Redactor()
    assert found.register(SECRET)
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sk-abcdefghijklmnop1234", REDACTED),
        ("sk-proj-abc_defghijklmnop1234.", f"{REDACTED}."),
        ("Authorization: Bearer abcdef123456", f"Authorization: Bearer {REDACTED}"),
        ("bearer abcdef123456,", f"bearer {REDACTED},"),
        ("Basic dXNlcjpwYXNzd29yZA==", f"Basic {REDACTED}"),
        ("AKIAIOSFODNN7EXAMPLE", REDACTED),
        ("ghp_abcdefghijklmnop1234", REDACTED),
        ("xoxb-12345678901234567890", REDACTED),
        (_JWT, REDACTED),
        (f"a {_KEY} b", f"a {REDACTED} b"),
        ("-----BEGIN PRIVATE KEY-----\nnever ended", REDACTED),
        ("postgres://user:hunter2@host/db", f"postgres://user:{REDACTED}@host/db"),
        ("postgres://user:hunter2@host https://ann@h/x", f"postgres://user:{REDACTED}@host https://{REDACTED}@h/x"),
        ("http://tok3n@host/simple", f"http://{REDACTED}@host/simple"),
        ("HTTPS://tok3n:@host", f"HTTPS://{REDACTED}@host"),
        ("git+https://tok3n:x-oauth-basic@host/x@v1", f"git+https://{REDACTED}@host/x@v1"),
        ("wss://tok3n@host", f"wss://{REDACTED}@host"),
        ("api_key=abcdefgh&x=1", f"api_key={REDACTED}&x=1"),
        ("OPENAI_API_KEY='abc'", f"OPENAI_API_KEY='{REDACTED}'"),
        ('{"password": "a\'b\\"c", "n": 1}', f'{{"password": "{REDACTED}", "n": 1}}'),
        ('{\\"token\\": \\"abc\\", 1}', f'{{\\"token\\": \\"{REDACTED}\\", 1}}'),
        ("Cookie: abcdefgh", f"Cookie: {REDACTED}"),
        ("clientSecret = abcdefgh", f"clientSecret = {REDACTED}"),
    ],
)
def test_what_looks_like_a_secret(text: str, expected: str) -> None:
    redactor = Redactor()
    assert redactor.redact(text) == expected
    assert redactor.redact(expected) == expected
    assert redactor.redact(text.encode()) == expected.encode()
    assert redactor.suspects(text)


@pytest.mark.parametrize(
    "text",
    [
        "max_tokens=256, tokens: 5000000",
        '{"input_tokens":123456,"token":null}',
        "The basic understanding of bearer bonds",
        "token=None token=true",
        "the keyboard, the monkey and a tokenizer",
        "https://example.com/path?x=1",
        "https://example.com/path/@scope/x, ann@example.com",
        "http://example.com?to=ann@example.com http://example.com#ann@example.com",
        "ssh://git@example.com/x.git git@example.com:x.git",
        "risk-averse task_force",
        "",
    ],
)
def test_what_looks_like_none(text: str) -> None:
    assert Redactor().redact(text) == text
    assert Redactor().redact(text.encode()) == text.encode()


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        repr(SECRET)[1:-1],
        json.dumps(SECRET)[1:-1],
        json.dumps(SECRET, ensure_ascii=False)[1:-1],
        quote(SECRET, safe=""),
        quote(SECRET, safe="").replace("%C3%B6", "%c3%b6").lower() if SECRET.islower() else quote(SECRET),
        quote_plus(SECRET),
        SECRET.encode().hex(),
        SECRET.encode().hex().upper(),
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode().rstrip("="),
    ],
)
def test_a_known_secret_in_every_form(redactor: Redactor, form: str) -> None:
    assert redactor.redact(f"<{form}>") == f"<{REDACTED}>"
    assert redactor.redact(f"<{form}>".encode()) == f"<{REDACTED}>".encode()


@given(before=st.binary(max_size=5), after=st.binary(max_size=5))
def test_a_known_secret_within_base64(before: bytes, after: bytes) -> None:
    redactor = Redactor()
    redactor.register("correct horse battery staple")
    whole = base64.b64encode(before + b"correct horse battery staple" + after).decode()
    assert REDACTED in redactor.redact(whole)


@given(secret=st.text(min_size=MIN_SECRET, max_size=40).filter(lambda text: len(text.strip()) >= MIN_SECRET))
def test_no_registered_value_is_left(secret: str) -> None:
    redactor = Redactor()
    assert redactor.register(secret)
    assert secret not in redactor.redact(f"a {secret} b").replace(REDACTED, "")


def test_what_is_not_registered() -> None:
    redactor = Redactor()
    assert not redactor.register("short")
    assert not redactor.register("      a      ")
    assert not redactor.register("x" * MAX_MATCH)
    assert redactor.register(b"\xff\xfe binary")
    assert redactor.redact(b"a \xff\xfe binary b") == f"a {REDACTED} b".encode()
    assert redactor.redact("a short x") == "a short x"


def test_the_environment() -> None:
    redactor = Redactor()
    redactor.register_environment({"MY_API_KEY": "abcabcabc", "HOME": "/home/somebody", "PWD": "/home/somebody/x"})
    assert redactor.redact("abcabcabc /home/somebody/x") == f"{REDACTED} /home/somebody/x"


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("OPENAI_API_KEY", True),
        ("apiKey", True),
        ("x-api-key", True),
        ("accessToken", True),
        ("AWS_ACCESS_KEY_ID", True),
        ("Authorization", True),
        ("token", True),
        ("max_tokens", False),
        ("keyboard", False),
        ("PWD", False),
        ("tokenizer", False),
    ],
)
def test_names_of_secrets(name: str, secret: bool) -> None:
    assert is_secret_name(name) is secret


def test_nested_json(redactor: Redactor) -> None:
    value = {
        "a": [{"Token": "x", "n": 5}, ("sk-abcdefghijklmnop1234", None)],
        "api_key": {"inner": ["y", 1]},
        SECRET: 1,
    }
    assert redactor.redact_json(value) == {
        "a": [{"Token": REDACTED, "n": 5}, [REDACTED, None]],
        "api_key": {"inner": [REDACTED, 1]},
        REDACTED: 1,
    }


@given(text=_TEXT)
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    redactor = Redactor()
    redactor.register(SECRET)
    once = redactor.redact(text)
    assert redactor.redact(once) == once


_USERS = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp"), exclude_characters="/@\"'?#[]"),
    min_size=6,
    max_size=300,
).filter(lambda text: not any(map(str.isspace, text)))


@given(
    scheme=st.sampled_from(["http", "https", "HTTPS", "git+https", "ws", "wss"]),
    user=_USERS,
    password=st.none() | st.just("") | _USERS,
    path=st.sampled_from(["", "/", "/simple/?q=a@b", ":8080/x"]),
    before=_TEXT,
)
def test_nobody_is_named_in_a_web_address(scheme: str, user: str, password: str | None, path: str, before: str) -> None:
    redactor = Redactor()
    who = user if password is None else f"{user}:{password}"
    address = f"{scheme}://{who}@example.org{path}"
    assert redactor.redact(address) == f"{scheme}://{REDACTED}@example.org{path}"
    assert redactor.suspects(address)
    assert f"://{who}@" not in redactor.redact(f"{before} {address}")
    for cut in range(address.index("://") + 3, address.index(f"@example.org{path}") + 1):
        assert redactor.begun(address[:cut]) <= address.index("://")


def test_a_filter_for_logging(redactor: Redactor, caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("test.redact")
    logger.addFilter(found := RedactingFilter(redactor))
    try:
        try:
            int(SECRET)
        except ValueError:
            logger.exception("failed with %s", SECRET, stack_info=True)
    finally:
        logger.removeFilter(found)
    formatted = logging.Formatter().format(caplog.records[0])
    assert SECRET not in formatted
    assert "Traceback" in formatted
    assert "Stack" in formatted
    assert formatted.startswith(f"failed with {REDACTED}")
