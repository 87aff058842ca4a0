"""Where services of stores may be, and by which certificates they are trusted."""

from __future__ import annotations

import contextlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from sentient_cli.config.credentials import CredentialSettings
from sentient_cli.credentials.opening import open_stores
from sentient_cli.credentials.stores.aws import AwsStore
from sentient_cli.credentials.stores.web import Service
from sentient_cli.credentials.stores.web_addresses import check_address, named_place
from sentient_cli.errors import CredentialStoreError
from sentient_cli.loopback import is_loopback
from sentient_cli.paths import user_config_file
from tests.credentials.places import at_once
from tests.llm.providers.pool_kit import make_certificate, offering


class _Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def encrypted(certificate: Path) -> Iterator[str]:
    """A server that speaks TLS with a certificate of its own."""
    with http.server.HTTPServer(("127.0.0.1", 0), _Hello) as server:
        server.socket = offering(certificate).wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"https://localhost:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.story("6.4")
def test_only_certificates_that_are_trusted_are_taken(encrypted: str, certificate: Path) -> None:
    service = Service("Vault", encrypted, timeout=60, pause=at_once)
    with service.opened() as session, pytest.raises(CredentialStoreError, match="Its certificate is not trusted") as no:
        session.send("GET", "/", headers={})
    assert "`ca_file`" in no.value.fix
    with service._replace(ca_file=certificate).opened() as session:
        assert session.send("GET", "/", headers={}).status == 200
        assert session.send("GET", "/", headers={}).body == b"{}"


@pytest.mark.parametrize("content", [None, "not a certificate"])
def test_certificates_that_cannot_be_read(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    service = Service("Vault", "https://localhost:1", file, pause=at_once)
    with service.opened() as session, pytest.raises(CredentialStoreError, match="is trusted by cannot be read"):
        session.send("GET", "/", headers={})


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "None is set"),
        ("ftp://example.com", "ftp://example.com"),
        ("https://", "https://"),
        ("https://example.com:port", "something else"),
        ("https://example.com/?token=1", "It is"),
        ("https://exa mple.com", "something else"),
        ("https://example.com/\x1b[2J", "something else"),
        ("http://example.com", "without encryption"),
        ("http://localhost.example.com", "without encryption"),
        ("http://127.0.0.1.example.com", "without encryption"),
        ("http://10.0.0.1:8200", "without encryption"),
        ("https://me@example.com", "holds a name or a password"),
        ("http://me:it" + "@127.0.0.1", "holds a name or a password"),
    ],
)
def test_addresses_that_nothing_is_sent_to(url: str, said: str) -> None:
    with pytest.raises(CredentialStoreError, match=said) as caught:
        check_address("Vault", url)
    assert caught.value.fix
    assert f"{caught.value}".isprintable()


@pytest.mark.parametrize("url", ["http://127.0.0.1:8200", "http://[::1]:8200/", "http://a.localhost", "https://a.b/c"])
def test_addresses_that_requests_are_sent_to(url: str) -> None:
    assert check_address("Vault", url).hostname


@given(st.text(max_size=60))
def test_any_text_is_an_address_or_is_refused(text: str) -> None:
    for url in (text, f"http://{text}", f"https://{text}"):
        named_place(url)
        parts = None
        with contextlib.suppress(CredentialStoreError):
            parts = check_address("Vault", url)
        assert parts is None or parts.scheme == "https" or is_loopback(parts.hostname or "")


@pytest.mark.parametrize("host", ["a" * 70 + ".localhost", "schl\u00fcssel..localhost"])
def test_a_name_that_is_none_does_not_answer(host: str) -> None:
    service = Service("Vault", f"http://{host}:1", timeout=60, pause=at_once)
    with service.opened() as session, pytest.raises(CredentialStoreError, match="does not answer"):
        session.send("GET", "/", headers={})


_THERE = "https://service.example.com"


@pytest.mark.parametrize("store", ["vault", "aws", "azure"])
@pytest.mark.parametrize("how", ["nobody", "the shell", "another in the shell", "the user", "a profile", "not TOML"])
def test_who_signs_in_says_where(store: str, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    key = "endpoint" if store == "aws" else "address"
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    section = {key: _THERE, **({} if store == "aws" else {"token_env": "MINE"})}
    settings = CredentialSettings.model_validate({"stores": [store], store: section})
    if "shell" in how:
        said = _THERE + "/" if how == "the shell" else "https://other.example.com"
        monkeypatch.setenv(f"SENTIENT_CREDENTIALS_{store.upper()}_{key.upper()}", said)
    table = "profile.staging.credentials" if how == "a profile" else "credentials"
    if how in {"the user", "a profile", "not TOML"}:
        own = user_config_file()
        own.parent.mkdir(parents=True)
        own.write_text(f'[{table}.{store}]\n{key} = "{_THERE}"\n' if how != "not TOML" else f'{key} = "{_THERE}')
    (opened,) = open_stores(settings, {"AWS_REGION": "eu-central-1"})
    agreed = how in {"the shell", "the user", "a profile"}
    if store == "aws":  # a client is made, and nothing is sent
        with contextlib.suppress(CredentialStoreError) if agreed else _refused():
            assert isinstance(opened, AwsStore)
            opened._connect()[0].close()
        return
    with pytest.raises(CredentialStoreError, match="There is no token" if agreed else "Nobody has agreed"):
        opened.check()


def _refused() -> contextlib.AbstractContextManager[object]:
    return pytest.raises(CredentialStoreError, match=f"Nobody has agreed to sign in at {_THERE}")
