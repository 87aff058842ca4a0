"""What each check of the doctor finds."""

from __future__ import annotations

import http.server
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.credentials.catalogue import Card, Catalogue
from sentient_cli.scaffold.doctor import diagnosis, loading, machine
from sentient_cli.scaffold.doctor.finding import Check, Finding, Surroundings, Terminal
from sentient_cli.scaffold.doctor.network import masked
from tests.doctor.doctor_kit import TERMINAL, check, one


def _site(folder: Path, name: str, version: str, requires: str = "", record: str = "") -> None:
    info = folder / f"{name.replace('-', '_')}-{version or '0'}.dist-info"
    info.mkdir(parents=True)
    lines = ["Metadata-Version: 2.1", f"Name: {name}", *([f"Version: {version}"] if version else [])]
    lines += [f"Requires-Dist: {each}" for each in requires.split(";;") if each]
    (info / "METADATA").write_text("\n".join(lines) + "\n")
    (info / "RECORD").write_text(record)


@pytest.mark.parametrize(
    ("given_", "status", "what"),
    [
        ({"a": ("1.0", "", "")}, "fail", "b is missing, which sentient-agent-cli needs"),
        ({"a": ("0.5", "", ""), "b": ("1", "", "")}, "fail", "a is 0.5, and sentient-agent-cli needs >=1"),
        (
            {"a": ("1.0", "", "a/__init__.py,,\n"), "b": ("1", "", "")},
            "fail",
            "a is half installed: a/__init__.py is gone",
        ),
        ({"a": ("", "", ""), "b": ("1", "", "")}, "fail", "a is half installed: its metadata has no version"),
        ({"a": ("1.0", "c<2", ""), "b": ("1", "", ""), "c": ("2", "", "")}, "fail", "c is 2, and a needs <2"),
        ({"a": ("1.0", "not a requirement", ""), "b": ("1", "", "")}, "fail", "is not understood"),
        ({"a": ("1.0", "c; sys_platform == 'none'", ""), "b": ("1", "a", "")}, "ok", "2 packages"),
        ({"a": ("1.0", "c; extra == 'x'", ""), "b": ("1", "", "")}, "ok", "2 packages"),
        ({"a": ("1.0", "c; extra == 'x' or os_name != 'none'", ""), "b": ("1", "", "")}, "fail", "c is missing"),
        ({"a": ("1.0", "", ""), "b": ("1", "a[x]", ""), "c": ("1", "", "")}, "ok", "2 packages"),
    ],
)
def test_dependencies(
    given_: dict[str, tuple[str, str, str]], status: str, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    _site(site, "sentient-agent-cli", "1.0", "a>=1;;b")
    for name, (version, requires, record) in given_.items():
        _site(site, name, version, requires, record)
    monkeypatch.setattr(sys, "path", [str(site), *sys.path])
    found = one("dependencies")
    assert found.status == status
    assert what in found.what
    assert bool(found.fix) is (status == "fail")


def test_not_installed_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    assert one("dependencies").status == "warn"
    assert one("python").status == "ok"


def test_another_environment_is_active(tmp_path: Path) -> None:
    assert one("environment", {"VIRTUAL_ENV": sys.prefix}).status == "ok"
    assert str(tmp_path) in one("environment", {"VIRTUAL_ENV": str(tmp_path)}).what
    Path(".venv").mkdir()
    Path(".venv/pyvenv.cfg").touch()
    found = one("environment", {"VIRTUAL_ENV": ""})
    assert (found.status, found.fix) == ("warn", f"Run `{Path('.venv/bin/sentient').absolute()}`")


def test_a_public_server_without_a_token() -> None:
    found = one("exposure", {"SENTIENT_SERVER_HOST": "0.0.0.0"})  # noqa: S104 - not listened on
    assert found.status == "fail"
    assert found.fix
    assert "with a token" in one("exposure", {"SENTIENT_SERVER_TOKEN": "a-token-of-some-length-1234"}).what
    found = one("exposure", {"SENTIENT_SERVER_TOKEN": "short"})
    assert (found.status, "can be guessed" in found.what, "secrets" in found.fix) == ("warn", True, True)


def test_warnings_of_the_settings() -> None:
    Path("sentient.toml").write_text("[profile.staging.server]\nport = 1\n")
    Path(".env").write_text("SENTIENT_PROFILE=staging\n")
    found = {finding.what for finding in check("settings", {"SENTIENT_SERVER_PROT": "1"})}
    assert any(what.endswith("sentient.toml, profile staging") for what in found)
    assert any(what.endswith(".env is read") for what in found)
    assert "SENTIENT_SERVER_PROT is no setting; did you mean SENTIENT_SERVER_PORT?" in found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "what"),
    [("import os; os._exit(3)", "code 3"), ("import os; os.kill(os.getpid(), 11)", "signal 11")],
)
def test_an_agent_that_ends_the_process(code: str, what: str) -> None:
    Path("agent.py").write_text(code + "\n")
    found = one("agent")
    assert (found.status, what in found.what) == ("fail", True)


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ("", {"model": "ok", "agent": "fail"}),
        ('[llm]\nmodel = "nobody:x"\n', {"model": "fail", "agent": "fail"}),
        ('agent = "gone.py"\n', {"model": "ok", "agent": "fail"}),
        ('agent = "broken.py"\n', {"model": "ok", "agent": "fail"}),
        ('agent = "good.py"\n', {"model": "ok", "agent": "ok"}),
        (None, {"model": "ok", "agent": "skip"}),
    ],
)
def test_what_is_loaded_is_found(settings: str | None, found: dict[str, str]) -> None:
    if settings is not None:
        Path("sentient.toml").write_text(settings)
        Path("broken.py").write_text("raise ValueError\n")
        Path("good.py").write_text("async def assist(session, query, response): ...\n")
    assert {finding.name: finding.status for finding in loading._look(loading.Wanted("", None, None, True))} == found


def test_a_model_whose_key_is_missing_or_in_the_file_of_the_project() -> None:
    Path("sentient.toml").write_text('[llm]\nmodel = "openai:gpt-5.4"\n')
    keyless = next(iter(loading._look(loading.Wanted("", None, None, True))))
    assert (keyless.status, "OPENAI_API_KEY" in keyless.what, ".env" in keyless.fix) == ("fail", True, True)
    Path(".env").write_text("OPENAI_API_KEY=sk-one-1234\n")
    assert next(iter(loading._look(loading.Wanted("", None, None, True)))).status == "ok"


def test_a_model_that_is_to_end() -> None:
    Path("sentient.toml").write_text('[llm]\nmodel = "openai:whisper-1"\n')
    Path(".env").write_text("OPENAI_API_KEY=sk-one-1234\n")
    found = next(iter(loading._look(loading.Wanted("", None, None, True))))
    assert (found.status, "from 2027-02-26 on" in found.what) == ("warn", True)


def test_an_agent_that_never_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("agent.py").write_text("import time\ntime.sleep(600)\n")
    monkeypatch.setattr("sentient_cli.scaffold.doctor.projects.SECONDS", 0.1)
    assert "not loaded after" in one("agent").what


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("", "is empty"),
        (" sk-0123456789abcdef ", "white space"),
        ('"sk-0123456789abcdef"', "quotes"),
        ("your-key-here", "placeholder"),
        ("sk-...", "placeholder"),
        ("changeme", "placeholder"),
    ],
)
def test_a_key_that_is_none(value: str, what: str) -> None:
    (found,) = check("keys", {"OPENAI_API_KEY": value})
    assert (found.status, what in found.what, "OPENAI_API_KEY" in found.what) == ("warn", True, True)


def test_keys() -> None:
    assert "None set" in one("keys").what
    assert "OPENAI_API_KEY (shell)" in one("keys", {"OPENAI_API_KEY": "sk-0123456789abcdef"}).what


def test_without_a_keyring_only_who_keeps_keys_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = {"PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring", "DBUS_SESSION_BUS_ADDRESS": "unix:path=/none"}
    assert one("keyring", refused).status == "skip"
    Catalogue().put(Card(profile="default", name="openai", store="keyring"))
    found = one("keyring", refused)
    assert (found.status, "encrypted" in found.fix) == ("fail", True)
    assert "what the variable PYTHON_KEYRING_BACKEND names" in found.what


def test_stored_keys_that_are_due() -> None:
    assert one("stored").status == "skip"
    now, day = time.time_ns(), 24 * 3600 * 10**9
    fine = Card(profile="default", name="openai", store="encrypted", changed_at=now)
    Catalogue().put(fine)
    assert (one("stored").status, one("stored").what) == ("ok", "1 key, and nothing is due")
    Catalogue().put(
        Card(profile="dev", name="groq", store="encrypted", expires_at=now - day, changed_at=day),
        Card(profile="dev", name="xai", store="encrypted", expires_at=now + day, changed_at=day),
        Card(profile="dev", name="zai", store="encrypted", rotate_every=3600, changed_at=day),
    )
    found = [(finding.status, finding.what) for finding in check("stored")]
    assert [status for status, _ in found] == ["fail", "warn", "warn"]
    assert "dev/groq has expired" in found[0][1]
    assert "dev/xai expires in" in found[1][1]
    assert "dev/zai was to be rotated" in found[2][1]
    Catalogue().path.write_text("no catalogue")
    assert (one("stored").status, "--rebuild" in one("stored").fix) == ("fail", True)


@pytest.mark.parametrize(
    ("variables", "status", "what"),
    [
        ({}, "ok", "None set"),
        ({"HTTPS_PROXY": "http://a:b@proxy:8", "NO_PROXY": "localhost"}, "ok", "https_proxy http://…@proxy:8; not for"),
        ({"http_proxy": "ftp://proxy"}, "fail", "ftp is no kind of proxy"),
        ({"all_proxy": "http://proxy:port"}, "fail", "Port"),
        ({"all_proxy": "http://"}, "fail", "names no host"),
        ({"all_proxy": "socks5://proxy:1"}, "fail", "needs the package socksio"),
        ({"http_proxy": "http://one", "HTTP_PROXY": "http://two"}, "warn", "differ; http_proxy is used"),
    ],
)
def test_proxies(variables: dict[str, str], status: str, what: str) -> None:
    found = check("proxies", variables)
    assert found[0].status == status
    assert what in found[0].what


@pytest.mark.slow
@given(st.text(max_size=20), st.text(min_size=1, max_size=20))
def test_a_masked_url_has_no_password(name: str, password: str) -> None:
    secret = f"S3CRET{password.replace('/', '')}"
    for scheme in ("http://", "", "socks5://"):
        assert "S3CRET" not in masked(f"{scheme}{name.replace('/', '')}:{secret}@host:1/path")


def test_certificates(tmp_path: Path) -> None:
    names = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT")
    none = {name: "" for name in names}  # noqa: C420 - its type
    empty = tmp_path / "empty.pem"
    empty.touch()
    assert one("certificates", none).status == "ok"
    for name, path, what in (
        ("SSL_CERT_FILE", tmp_path / "none.pem", "not there"),
        ("SSL_CERT_FILE", tmp_path, "a directory"),
        ("PIP_CERT", empty, "holds no certificates"),
        ("SSL_CERT_DIR", empty, "no directory"),
    ):
        found = one("certificates", {**none, name: str(path)})
        assert (found.status, what in found.what, name in found.fix) == ("fail", True, True)
    assert one("certificates", {**none, "SSL_CERT_DIR": str(tmp_path)}).what == f"{tmp_path} (SSL_CERT_DIR)"


def test_where_packages_come_from() -> None:
    (found,) = check("packages", {"PIP_INDEX_URL": "https://me:secret@index.example/simple", "PIP_FIND_LINKS": ""})
    assert "PIP_INDEX_URL=https://…@index.example/simple" in found.what


@pytest.fixture
def answering() -> Generator[str]:
    """A server that answers 404, and 407 to what goes through it as a proxy."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(407 if self.path.startswith("http") else 404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_reaching(answering: str, monkeypatch: pytest.MonkeyPatch, free_port: int) -> None:
    assert [each.status for each in check("reach")] == ["skip"]
    url = f"http://{answering}"
    (found,) = check("reach", online=(url,))
    assert found.what.startswith(f"{url} answered 404 after")
    for wrong, what in (("http://127.0.0.1:x", "Invalid port"), ("ftp://127.0.0.1", "protocol")):
        (found,) = check("reach", online=(wrong,))
        assert (found.status, what in found.what) == ("fail", True)
    monkeypatch.setenv("HTTP_PROXY", url)
    (found,) = check("reach", online=("http://agent.localhost/",))
    assert "wants a name and a password" in found.what
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port}")
    assert check("reach", online=("http://agent.localhost/",))[0].status == "fail"
    monkeypatch.setenv("HTTP_PROXY", "nonsense://x")
    assert check("reach", online=("http://agent.localhost/",))[0].status == "fail"


def _git(*arguments: str) -> None:
    names = ["-c", "user.name=x", "-c", "user.email=x@localhost", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *names, *arguments], check=True, capture_output=True)


@pytest.mark.usefixtures("needs_git")
def test_git_and_the_secrets(tmp_path: Path) -> None:
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    assert check("git", {"PATH": str(nothing)})[0].status == "warn"
    nobody = check("git")[0]
    assert "without user.name and user.email" in nobody.what
    assert nobody.fix == "Run `git config --global user.name ...` and `git config --global user.email ...`"
    Path(os.environ["HOME"], ".gitconfig").write_text("[user]\nname = A\nemail = a@localhost\n")
    assert [each.status for each in check("git")] == ["ok"]
    _git("init", "--quiet")
    Path(".env").write_text("A=1\n")
    assert [each.status for each in check("git")] == ["ok", "warn"]
    Path(".gitignore").write_text(".env\n")
    assert [each.status for each in check("git")] == ["ok"]
    _git("add", "--force", ".env")
    found = check("git")[1]
    assert (found.name, found.status) == ("secrets", "fail")


def _nothing(name: str) -> None:
    """No module of any name."""


def _few(limit: int) -> tuple[int, int]:
    return 256, 512


def test_what_installs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    uv = tools / "uv"
    assert one("uv", {"PATH": str(tools)}).status == "skip"
    uv.write_text("#!/bin/sh\necho uv 9.9.9\n")
    uv.chmod(0o755)
    assert one("uv", {"PATH": str(tools)}).what == "9.9.9"
    uv.write_text("#!/bin/sh\nexit 1\n")
    assert one("uv", {"PATH": str(tools)}).status == "warn"
    uv.write_text("no program")
    assert one("uv", {"PATH": str(tools)}).status == "warn"
    monkeypatch.setitem(sys.modules, "ensurepip", None)
    monkeypatch.setattr("importlib.util.find_spec", _nothing)
    found = one("uv", {"PATH": ""})
    assert (found.status, "python3-venv" in found.fix) == ("warn", True)


@pytest.mark.parametrize(
    ("terminal", "statuses"),
    [
        (TERMINAL, ["ok", "ok"]),
        (Terminal("ascii", reads=True, draws=True, color=False, columns=40), ["warn", "warn"]),
        (Terminal(None, reads=False, draws=False, color=False, columns=80), ["warn", "skip"]),
    ],
)
def test_terminals(terminal: Terminal, statuses: list[str]) -> None:
    assert [each.status for each in check("terminal", terminal=terminal)] == statuses


def test_a_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        found = one("port", {"SENTIENT_SERVER_PORT": str(taken.getsockname()[1])})
    assert found.status == "warn"
    assert "is taken" in found.what
    assert found.fix


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="a file system of the kernel")
def test_a_place_where_nobody_makes_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/proc/nope")
    directories, disk = check("directories")
    assert (directories.status, disk.status) == ("fail", "ok")
    assert "/proc" in directories.what


def test_directories_and_room(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check("directories")[0].status == "ok"
    Path(os.environ["XDG_STATE_HOME"]).parent.mkdir(parents=True)
    Path(os.environ["XDG_STATE_HOME"]).write_text("in the way")
    found = check("directories")[0]
    assert (found.status, "no directory" in found.what) == ("fail", True)
    monkeypatch.setattr(machine, "LITTLE_ROOM", 1 << 80)
    assert check("directories")[-1].status == "warn"


def test_few_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resource.getrlimit", _few)
    found = one("files")
    assert (found.status, found.fix) == ("warn", "Run `ulimit -n 4096`, as an administrator")


def test_a_check_that_breaks_is_a_finding_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(here: Surroundings) -> list[Finding]:
        raise ModuleNotFoundError("No module named 'packaging'")

    monkeypatch.setattr(diagnosis, "CHECKS", (Check("Area", "broken", breaks), *diagnosis.CHECKS[:1]))
    found = list(diagnosis.diagnose(diagnosis.look_around(environment={}, terminal=TERMINAL)))
    assert [each.status for each in found] == ["fail", "ok"]
    assert "packaging" in found[0].what
