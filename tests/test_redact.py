"""The one redactor."""

from __future__ import annotations

import base64
import json
import string
from random import Random
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sentient_cli.redact import MIN_SECRET, REDACTED, Redactor
from sentient_cli.secret_forms import MAX_SECRET
from sentient_cli.secret_names import is_secret_name

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


@pytest.mark.slow
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


@pytest.mark.slow
@given(secret=st.text(min_size=MIN_SECRET, max_size=40).filter(lambda text: len(text.strip()) >= MIN_SECRET))
def test_no_registered_value_is_left(secret: str) -> None:
    redactor = Redactor()
    assert redactor.register(secret)
    assert secret not in redactor.redact(f"a {secret} b").replace(REDACTED, "")


def test_what_is_not_registered() -> None:
    redactor = Redactor()
    assert not redactor.register("short")
    assert not redactor.register("      a      ")
    assert redactor.register(b"\xff\xfe binary")
    assert redactor.redact(b"a \xff\xfe binary b") == f"a {REDACTED} b".encode()
    assert redactor.redact("a short x") == "a short x"


def test_the_environment() -> None:
    redactor = Redactor()
    redactor.register_environment({"MY_API_KEY": "abcabcabc", "HOME": "/home/somebody", "PWD": "/home/somebody/x"})
    assert redactor.redact("abcabcabc /home/somebody/x") == f"{REDACTED} /home/somebody/x"


_LETTERS = string.ascii_letters + string.digits + '+/=-_ \n"\\é'


def _letters(seed: int, size: int) -> str:
    return "".join(Random(seed).choices(_LETTERS, k=size))


_LONG = st.integers(2_731, 9_000)
_LONG_VALUES = st.builds(_letters, st.integers(0, 2**32), _LONG)


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@example(seed=1, size=MAX_SECRET, before="a ", after="\n")
@given(
    seed=st.integers(0, 2**32),
    size=_LONG,
    before=st.text(max_size=80),
    after=st.text(max_size=80),
)
def test_a_long_value_is_masked_to_its_last_character(seed: int, size: int, before: str, after: str) -> None:
    secret = _letters(seed, size)
    redactor = Redactor()
    assert redactor.register(secret)
    for form in (secret, json.dumps(secret)[1:-1], secret.encode().hex(), quote(secret, safe="")):
        text = f"{before}{form}{after}"
        assert redactor.suspects(text)
        left = redactor.redact(text)
        assert left.count(REDACTED) >= 2
        assert len(left) <= len(before) + len(after) + left.count(REDACTED) * len(REDACTED)
        assert redactor.redact(left) == left


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@example(secret=_letters(1, MAX_SECRET), before=b"", cut=0.5)
@given(secret=_LONG_VALUES, before=st.binary(max_size=5), cut=st.floats(0, 1))
def test_of_a_long_value_in_base64_or_cut_hardly_anything_is_left(secret: str, before: bytes, cut: float) -> None:
    redactor = Redactor()
    assert redactor.register(secret)
    whole = base64.b64encode(before + secret.encode()).decode()
    pieces = redactor.redact(whole).split(REDACTED)
    assert max(map(len, pieces)) <= len(before) * 2 + 8
    part = secret[int(cut * len(secret)) :]
    assert max(map(len, redactor.redact(part).split(REDACTED))) < 800


def test_of_a_value_without_bounds_the_beginning_is_known() -> None:
    redactor = Redactor()
    secret = _letters(1, MAX_SECRET + 5_000)
    assert redactor.register(secret)
    assert len(redactor.redact(secret).replace(REDACTED, "")) <= 5_000


@given(
    name=st.sampled_from(
        [
            *("SECRET_KEY", "DJANGO_SECRET_KEY", "SECRET_KEY_BASE", "DB_PASS", "DB_PWD", "STRIPE_KEY", "OPENAI_KEY"),
            *("GH_PAT", "SENTRY_DSN", "AWS_CREDENTIAL", "GCP_CREDENTIALS", "TOKENS", "API_TOKENS", "GITHUB_TOKENS"),
            *("API_KEY", "API_KEYS", "JWT_SECRET", "OPENAI_API_KEY", "SSH_KEY", "MASTER_KEY", "SESSION_COOKIES"),
            *("apiKey", "x-api-key", "accessToken", "AWS_ACCESS_KEY_ID", "Authorization", "token", "clientSecret"),
            *("stripeKey", "dbPass", "client-secret", "signing_key", "password", "passphrase", "token_id"),
        ]
    ),
    prefix=st.sampled_from(["", "MY_", "x-", "app_2_"]),
    number=st.sampled_from(["", "_1", "2", "_03"]),
)
def test_names_of_secrets(name: str, prefix: str, number: str) -> None:
    assert is_secret_name(f"{prefix}{name}{number}")


@given(
    name=st.sampled_from(
        [
            *("PUBLIC_KEY", "SSH_PUBLIC_KEY", "publicKey", "PRIMARY_KEY", "foreign_key", "sort_keys", "cacheKey"),
            *("KEYBOARD", "keyboard", "MONKEY", "turkey", "tokenizer", "compass", "bypass", "author", "OLDPWD", "PATH"),
            *("max_tokens", "maxTokens", "total_tokens", "completion_tokens", "first_pass", "PASSWORDLESS", "HOTKEY"),
        ]
    ),
    number=st.sampled_from(["", "_1"]),
)
def test_names_of_nothing_secret(name: str, number: str) -> None:
    assert not is_secret_name(name + number)


@pytest.mark.parametrize("name", ["key", "KEY", "keys", "PWD", "KEY_ID", "tokens", "pass", ""])
def test_a_word_alone_may_be_anything(name: str) -> None:
    assert not is_secret_name(name)


@pytest.mark.slow
@given(value=st.text(string.ascii_letters + string.digits, min_size=8, max_size=60))
def test_what_is_assigned_to_a_key_is_masked(value: str) -> None:
    redactor = Redactor()
    for name in ("SECRET_KEY", "DJANGO_SECRET_KEY", "STRIPE_KEY", "SECRET_KEY_BASE", "API_KEY_1", "jwt_secret_2"):
        assert redactor.redact(f"{name}={value}") == f"{name}={REDACTED}"
        assert redactor.redact(f"export {name}='{value}'") == f"export {name}='{REDACTED}'"
        assert redactor.begun(f"{name}={value}"[: len(name) + 3]) <= len(name)
    for name in ("PUBLIC_KEY", "PRIMARY_KEY", "sort_key"):
        assert redactor.redact(f"{name}={value}") == f"{name}={value}"


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


@pytest.mark.slow
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


_BEGINNINGS = (
    "sk-",
    "RK_",
    "pk-",
    "ghp_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "hf_",
    "npm_",
    "pypi-",
    "AIza",
    "AKIA",
    "eyJ",
)
_PARTS = st.sampled_from(
    (
        *_BEGINNINGS,
        "ABCDEFGH12345678",
        "a" * 20,
        ".abcdef.",
        "-----BEGIN PRIVATE KEY-----",
        "://u:pw@",
        " ",
        "-",
        "_",
        "x",
    )
)


@given(parts=st.lists(_PARTS, max_size=6))
@example(parts=["xoxb-", "a" * 20])
@example(parts=["-----BEGIN PRIVATE KEY-----"])
def test_no_text_that_a_pattern_matches_is_passed_over(parts: list[str]) -> None:
    redactor, text = Redactor(), "".join(parts)
    if next(redactor.hidden(text), None) is not None:
        assert redactor.suspects(text)
