"""Templates out of git repositories: what is asked for is what comes, and a repository runs nothing."""

from __future__ import annotations

import http.server
import os
import subprocess
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from sentient_cli.errors import ProjectError, SentientError, TemplateNotFoundError, TemplateUnsafeError
from sentient_cli.scaffold.limits import Limits
from sentient_cli.scaffold.pristine import load
from sentient_cli.scaffold.render import render
from sentient_cli.scaffold.source import open_source
from tests.cli.processes import run_sentient
from tests.scaffold.create_kit import FAILING, fake, git, template

pytestmark = pytest.mark.usefixtures("needs_git")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A bare repository with a template, two versions of it, and hooks that nobody may run."""
    work = template(tmp_path / "work-tree", {"a.txt": "one", "run.sh": "#!/bin/sh\n"})
    (work / "run.sh").chmod(0o755)
    git(work, "init", "--quiet")
    _commit(work)
    git(work, "tag", "v1")
    (work / "a.txt").write_text("two")
    _commit(work)
    git(work, "branch", "feature/x")
    bare = tmp_path / "templates.git"
    git(tmp_path, "clone", "--quiet", "--bare", str(work), str(bare))
    for hook in ("post-checkout", "pre-upload-pack"):
        fake(bare / "hooks", hook, FAILING)
    return bare


def _commit(work: Path) -> None:
    git(work, "add", "--all")
    git(work, "commit", "--quiet", "--message", "x")


def _files(spec: str, limits: Limits | None = None) -> dict[str, tuple[bytes, bool]]:
    with open_source(spec, limits=limits) as source:
        rendering = render(source, {})
    return {str(name): (file.content, file.executable) for name, file in rendering.files.items()}


def _fetched(spec: str) -> dict[str, tuple[bytes, bool]]:
    """What is there before anything is rendered, which takes a second."""
    with open_source(spec) as source:
        files = [path for path in source.root.rglob("*") if path.is_file() and ".git" not in path.parts]
        return {path.name: (path.read_bytes(), os.access(path, os.X_OK)) for path in files if path.suffix != ".yml"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ref", "content"), [("", b"two"), ("@v1", b"one"), ("@main", b"two"), ("@feature/x", b"two"), ("@COMMIT", b"one")]
)
def test_the_version_that_was_asked_for(repository: Path, ref: str, content: bytes) -> None:
    commit = git(repository, "rev-parse", "v1")
    files = _fetched(f"{repository}{ref.replace('COMMIT', commit)}")
    assert files == {"a.txt": (content, False), "run.sh": (b"#!/bin/sh\n", True)}


@pytest.mark.slow
def test_what_comes_is_rendered(repository: Path) -> None:
    assert _files(str(repository)) == {"a.txt": (b"two", False), "run.sh": (b"#!/bin/sh\n", True)}


@pytest.mark.slow
def test_a_work_tree_is_taken_as_it_is(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "work-tree" / "a.txt").write_text("not committed")
    assert _files(str(tmp_path / "work-tree"))["a.txt"] == (b"not committed", False)
    assert _fetched(f"{tmp_path / 'work-tree'}@v1")["a.txt"] == (b"one", False)


@pytest.mark.slow
@pytest.mark.story("E20.3")
def test_a_project_knows_the_commit_it_came_from(repository: Path) -> None:
    done = run_sentient("create", "x", "--yes", "--no-install", "-t", f"{repository}@v1")
    assert done.returncode == 0, done.stderr
    kept = load(Path("x"))
    assert kept.template == str(repository)
    assert (kept.version, kept.ref) == ("v1", git(repository, "rev-parse", "v1"))


@pytest.mark.slow
@pytest.mark.story("E20.3")
@pytest.mark.parametrize("ref", ["nowhere", "-x", "a..b", "--upload-pack=id", ""])
def test_a_version_that_does_not_exist(repository: Path, ref: str) -> None:
    done = run_sentient("create", "x", "--yes", "--no-install", "-t", f"{repository}@{ref}")
    assert done.returncode == 5, done.stderr
    assert "template-not-found" in done.stderr
    assert not Path("x").exists()


def test_files_that_lead_out_and_submodules_do_not_come(tmp_path: Path) -> None:
    work = template(tmp_path / "w", {"a.txt": "a"})
    (work / "link").symlink_to("/etc/passwd")
    git(work, "init", "--quiet")
    _commit(work)
    with pytest.raises(TemplateUnsafeError, match="leads out"):
        _files(f"{work}@main")
    (work / "link").unlink()
    empty = git(work, "commit-tree", git(work, "hash-object", "-t", "tree", "-w", os.devnull), "-m", "x")
    git(work, "update-index", "--add", "--cacheinfo", f"160000,{empty},module")
    git(work, "add", "link", "a.txt") if (work / "link").exists() else git(work, "rm", "--cached", "--quiet", "link")
    git(work, "commit", "--quiet", "--message", "y")
    assert set(_files(f"{work}@main")) == {"a.txt"}


def test_filters_of_attributes_are_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "config"
    config.write_text(f'[filter "evil"]\n\tsmudge = touch {tmp_path / "marker"}\n\trequired = true\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    work = template(tmp_path / "w", {"a.txt": "a", ".gitattributes": "* filter=evil\n"})
    git(work, "init", "--quiet")
    _commit(work)
    assert _fetched(f"{work}@main")["a.txt"] == (b"a", False)
    assert not (tmp_path / "marker").exists()


def test_what_unpacks_to_too_much_is_known_before(tmp_path: Path) -> None:
    work = template(tmp_path / "w", {"zeros": bytes(3 << 20)})
    git(work, "init", "--quiet")
    _commit(work)
    with pytest.raises(TemplateUnsafeError, match="larger"):
        _files(f"{work}@main", Limits(total=1 << 20))


@pytest.mark.slow
@pytest.mark.parametrize(("leaf", "said", "seconds"), [("a file", "larger", 50), ("nothing", "long", 1)])
def test_a_tree_of_billions_is_not_walked(tmp_path: Path, leaf: str, said: str, seconds: int) -> None:
    """A few hundred bytes: ten names for one tree, ten times over; nothing or a file at its end."""
    bare = tmp_path / "bomb.git"
    git(tmp_path, "init", "--quiet", "--bare", str(bare))
    blob = git(bare, "hash-object", "-w", "--stdin")
    lines = f"100644 blob {blob}\tfile\n" if leaf == "a file" else ""
    for _ in range(10):
        tree = _tree(bare, lines)
        lines = "".join(f"040000 tree {tree}\t{number}\n" for number in range(10))
    git(bare, "update-ref", "HEAD", git(bare, "commit-tree", _tree(bare, lines), "-m", "x"))
    with pytest.raises(TemplateUnsafeError, match=said):
        _files(str(bare), Limits(seconds=seconds))


def _tree(bare: Path, lines: str) -> str:
    command = ["git", "-C", str(bare), "mktree"]
    return subprocess.run(command, input=lines, capture_output=True, text=True, check=True).stdout.strip()


def test_without_git(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(ProjectError, match="git is missing"):
        _files(f"{repository}@v1")


class _Backend(http.server.BaseHTTPRequestHandler):
    """git's own server program over HTTP, as https://git-scm.com/docs/git-http-backend describes it."""

    root: Path

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers["Content-Length"])))

    def _answer(self, body: bytes) -> None:
        parts = urlsplit(self.path)
        environment = {
            **os.environ,
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": parts.path,
            "QUERY_STRING": parts.query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
        }
        done = subprocess.run(["git", "http-backend"], env=environment, input=body, capture_output=True, check=True)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.send_response(int(fields.pop("Status", "200").split()[0]))
        for name, value in fields.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as it is called there
        """Nothing is said."""


@contextmanager
def _served(root: Path) -> Generator[str]:
    handler = type("Handler", (_Backend,), {"root": root})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.story("E20.3")
def test_over_the_network(repository: Path) -> None:
    with _served(repository.parent) as url:
        address = f"{url}/{repository.name}@v1"
        done = run_sentient("create", "x", "--yes", "--no-install", "-t", address.replace("://", "://me:verysecret@"))
        assert done.returncode == 0, done.stderr
        missing = run_sentient("create", "y", "--yes", "--no-install", "-t", f"{url}/nothing.git")
    assert Path("x/a.txt").read_text() == "one"
    kept = Path("x/.sentient/template.toml").read_text()
    assert f'id = "{url}/{repository.name}"' in kept
    assert "verysecret" not in kept + done.stderr
    assert missing.returncode == 5, missing.stderr
    assert "template-not-found" in missing.stderr


@pytest.mark.slow
def test_a_token_in_the_place_of_a_user_is_kept_nowhere(repository: Path) -> None:
    with _served(repository.parent) as url:
        spec = f"{url}/{repository.name}".replace("://", "://verysecrettoken@")
        done = run_sentient("create", "x", "--yes", "--no-install", "-t", spec)
        assert done.returncode == 0, done.stderr
    assert "verysecret" not in done.stderr + Path("x/.sentient/template.toml").read_text()


def test_a_server_that_cannot_be_reached(free_port: int) -> None:
    done = run_sentient("create", "x", "--yes", "--json", "-t", f"http://127.0.0.1:{free_port}/x.git")
    assert done.returncode == 4, done.stderr
    assert not Path("x").exists()


@pytest.mark.parametrize("spec", ["nothing", "./nothing@v1", "git@host", ""])
def test_what_is_nothing_is_said(spec: str) -> None:
    with pytest.raises(TemplateNotFoundError), open_source(spec):
        pass


def test_a_device_is_no_template(tmp_path: Path) -> None:
    folder = template(tmp_path / "t", {"a.txt": "a"})
    os.mkfifo(folder / "pipe")
    with pytest.raises(SentientError, match="neither a file"), open_source(str(folder)):
        pass
