"""`sentient create` as a program: its options, its output, its refusals."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from sentient_cli.scaffold.pristine import load
from tests.cli.processes import Sentient
from tests.plugins.isolation import REPOSITORY
from tests.scaffold.create_kit import FAILING, FAKE_UV, fake, git, shot, template

_QUICK = ("--yes", "--no-install")


def _events(output: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in output.splitlines()]


@pytest.mark.story("20.1", "20.6")
def test_a_project_is_set_up_tested_and_committed(sentient: Sentient, tmp_path: Path) -> None:
    path = fake(tmp_path / "tools", "uv", FAKE_UV)
    done = sentient("create", "my-agent", "--yes", env={"PATH": path})
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert "Its tests pass" in done.stderr
    end = done.stderr[done.stderr.index("my-agent is ready") :].splitlines()
    assert len(end) <= 8
    assert [line.split("  ")[0] for line in map(str.strip, end[2:5])] == [
        "cd my-agent",
        ".venv/bin/sentient dev",
        ".venv/bin/sentient chat",
    ]
    assert git(Path("my-agent"), "status", "--porcelain") == ""
    assert git(Path("my-agent"), "log", "--format=%s") == "Create my-agent from the template basic"
    assert git(Path("my-agent"), "branch", "--show-current") == "main"
    committed = git(Path("my-agent"), "ls-files").splitlines()
    assert {".sentient/template.toml", ".sentient/pristine.zip", "pyproject.toml"} <= set(committed)
    assert not [name for name in committed if name.startswith(".venv")]


@pytest.mark.slow  # its steps are those of the test above
@pytest.mark.story("20.1")
def test_each_step_is_a_line_of_json(sentient: Sentient, tmp_path: Path) -> None:
    path = fake(tmp_path / "tools", "uv", FAKE_UV)
    done = sentient("create", "my-agent", "--json", env={"PATH": path})
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    *steps, last = _events(done.stdout)
    names = [event["step"] for event in steps if event.get("status") == "done"]
    assert names == ["render", "write", "install", "verify", "commit"]
    created = last["created"]
    assert isinstance(created, dict)
    assert created["verified"] == "tests"
    assert created["committed"] is True
    assert created["directory"] == str(Path("my-agent").resolve())


@pytest.mark.story("20.1")
def test_what_is_kept_for_updates_says_where_it_came_from(sentient: Sentient) -> None:
    done = sentient("create", "my-agent", *_QUICK, "--no-git", "-d", "author=Ann", "-d", "features=ci,vscode")
    assert done.returncode == 0, done.stderr
    kept = load(Path("my-agent"))
    assert kept.template == "basic"
    assert kept.answers["author"] == "Ann"
    assert kept.answers["features"] == ["vscode", "ci"]
    on_disk = {name: content for name, (_, content) in shot(Path("my-agent")).items() if content}
    for name, file in kept.rendering.files.items():
        assert on_disk[str(name)] == file.content
    text = Path("my-agent/.sentient/template.toml").read_text()
    assert str(Path.cwd()) not in text
    assert tomllib.loads(text)["answers"]["name"] == "my-agent"


def test_the_same_answers_are_the_same_project(sentient: Sentient) -> None:
    for folder in ("one", "two"):
        done = sentient("create", f"{folder}/my-agent", *_QUICK, "--no-git")
        assert done.returncode == 0, done.stderr
    assert shot(Path("one")) == shot(Path("two"))


@pytest.mark.story("20.1")
def test_a_dry_run_shows_the_tree_and_writes_nothing(sentient: Sentient, tmp_path: Path) -> None:
    before = shot(tmp_path)
    done = sentient("create", "my-agent", "--yes", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("my-agent/\n├── ")
    assert "│   └── my_agent/\n" in done.stdout
    told = sentient("create", "my-agent", "--yes", "--dry-run", "--json")
    files = json.loads(told.stdout)["dry_run"]["files"]
    assert "src/my_agent/__init__.py" in [file["path"] for file in files]
    assert shot(tmp_path) == before


def test_a_dry_run_in_ascii(sentient: Sentient) -> None:
    done = sentient("create", "my-agent", "--yes", "--dry-run", env={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    assert "|-- " in done.stdout
    assert done.stdout.isascii()


@pytest.mark.story("20.1")
@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "has no name"),
        (["--yes"], 2, "has no name"),
        (["class", "--yes"], 2, "`class` is a keyword"),
        (["my agent", "--yes"], 2, "Call it 'my-agent'"),
        (["json", "--yes"], 2, "module `json`"),
        (["x", "--yes", "-d", "nonsense"], 2, "is no answer"),
        (["x", "--yes", "-d", "licence=MIT"], 2, "Did you mean `license`?"),
        (["x", "--yes", "-d", "license=GPL"], 2, "Choose `MIT`"),
        (["x", "--yes", "-d", "features=ci,nothing"], 2, "Choose `vscode`"),
        (["x", "--yes", "-d", "provider=nobody"], 2, "Choose `offline`"),
        (["x", "--yes", "-d", "name=3d"], 2, "cannot be called"),
        (["x", "--yes", "-d", "package=json"], 2, "module `json`"),
        (["x", "--yes", "-d", "slug=httpx"], 2, "package `httpx`"),
        (["", "--yes"], 2, "cannot be called ''"),
        (["x", "--yes", "-t", ""], 5, "names no template"),
        (["x", "--yes", "-d", "author=a\nb"], 2, "author cannot be"),
        (["x", "--yes", "-d", "description=a\nb"], 2, "--data description="),
        (["x", "--yes", "-t", "basics"], 5, "Did you mean `basic`?"),
        (["x", "--yes", "-t", "ftp://host/x"], 5, "cannot come from"),
        (["x", "--yes", "-t", "ext::sh -c id"], 5, "cannot come from"),
        (["x", "--yes", "-t", "--upload-pack=id"], 5, "names no template"),
        (["x", "--yes", "-t", "http://example.org/x"], 5, "cannot come from"),
        (["x", "--yes", "-t", "https://-oProxyCommand=id/x"], 5, "cannot come from"),
        (["x", "--yes", "-t", "."], 5, "holds no template"),
        (["file", "--yes"], 5, "is there already"),
        (["file/below", "--yes"], 5, "cannot be written"),
        (["full", "--yes"], 5, "not empty"),
        (["nowhere", "--yes"], 5, "is there already"),
        (["loop", "--yes"], 5, "is there already"),
    ],
)
def test_what_is_refused_leaves_nothing(
    sentient: Sentient, tmp_path: Path, arguments: list[str], code: int, said: str
) -> None:
    Path("file").touch()
    Path("full").mkdir()
    Path("full/yours").touch()
    Path("nowhere").symlink_to(tmp_path / "missing")
    Path("loop").symlink_to("loop")
    before = shot(Path.cwd())
    done = sentient("create", *arguments, "--json", "--no-install")
    assert done.returncode == code, done.stderr
    error = json.loads(done.stderr.splitlines()[-1])["error"]
    assert said in " ".join((error["what"], error["why"], error["fix"])), error
    assert "Traceback" not in done.stderr
    assert shot(Path.cwd()) == before


@pytest.mark.slow
@pytest.mark.story("20.1")
def test_force_replaces_and_deletes_nothing_else(sentient: Sentient) -> None:
    Path("my-agent").mkdir()
    Path("my-agent/notes.txt").write_text("mine")
    Path("my-agent/README.md").write_text("mine")
    done = sentient("create", "my-agent", *_QUICK, "--force")
    assert done.returncode == 0, done.stderr
    assert Path("my-agent/notes.txt").read_text() == "mine"
    assert Path("my-agent/README.md").read_text() != "mine"
    assert not list(Path("my-agent").glob(".sentient-kept*"))


@pytest.mark.slow
@pytest.mark.story("20.1")
def test_the_current_directory_when_it_is_empty(sentient: Sentient, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("my-agent").mkdir()
    monkeypatch.chdir("my-agent")
    done = sentient("create", ".", *_QUICK)
    assert done.returncode == 0, done.stderr
    assert Path("src/my_agent/agent.py").is_file()
    assert "cd " not in done.stderr


@pytest.mark.slow
def test_the_project_option_is_where_it_is_made(sentient: Sentient) -> None:
    Path("there").mkdir()
    done = sentient("--project", "there", "create", "my-agent", *_QUICK)
    assert done.returncode == 0, done.stderr
    assert Path("there/my-agent/pyproject.toml").is_file()


@pytest.mark.slow
@pytest.mark.story("20.1")
def test_no_repository_within_another(sentient: Sentient) -> None:
    git(Path.cwd(), "init", "--quiet")
    done = sentient("create", "my-agent", *_QUICK)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("git repository") == 1
    assert f"Made no git repository: {Path.cwd().resolve()} is one already\n" in done.stderr
    assert not Path("my-agent/.git").exists()


@pytest.mark.slow
@pytest.mark.usefixtures("needs_git")
@pytest.mark.story("20.1")
def test_git_without_an_identity_commits_all_the_same(sentient: Sentient) -> None:
    done = sentient("create", "my-agent", *_QUICK, env={"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"})
    assert done.returncode == 0, done.stderr
    assert "does not know your name" in done.stderr
    assert git(Path("my-agent"), "log", "--format=%an") == "sentient"


@pytest.mark.story("20.1")
def test_hooks_signatures_and_variables_of_the_user_do_not_get_in_the_way(sentient: Sentient, tmp_path: Path) -> None:
    hooks = tmp_path / "hooks"
    fake(hooks, "pre-commit", FAILING)
    ignored = tmp_path / "ignored"
    ignored.write_text("*.zip\n.vscode/\n*.py\n")
    config = tmp_path / "gitconfig"
    config.write_text(
        "[user]\nname = Ann\nemail = ann@example.org\n[commit]\ngpgSign = true\n"
        f"[core]\nhooksPath = {hooks}\nexcludesFile = {ignored}\n"
    )
    env = {"GIT_CONFIG_GLOBAL": str(config), "GIT_DIR": str(tmp_path / "elsewhere"), "GIT_INDEX_FILE": "index"}
    done = sentient("create", "my-agent", *_QUICK, env=env)
    assert done.returncode == 0, done.stderr
    assert git(Path("my-agent"), "log", "--format=%an") == "Ann"
    committed = git(Path("my-agent"), "ls-files").splitlines()
    assert {".sentient/pristine.zip", ".vscode/settings.json", "src/my_agent/agent.py"} <= set(committed)


@pytest.mark.usefixtures("needs_git")
@pytest.mark.story("20.1")
@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ("[core", "bad config line "),
        ("[core]\nautocrlf = maybe", "bad boolean config value 'maybe' for 'core.autocrlf'"),
        ("[user]\nname = A\nemail = a@b\n[commit]\nverbose = x", "bad numeric config value 'x' for 'commit.verbose'"),
    ],
)
def test_settings_of_git_that_are_broken_leave_the_project_without_it(
    sentient: Sentient, tmp_path: Path, settings: str, why: str
) -> None:
    config = tmp_path / "gitconfig"
    config.write_text(settings)
    done = sentient("create", "my-agent", *_QUICK, env={"GIT_CONFIG_GLOBAL": str(config)})
    assert done.returncode == 0, done.stderr
    assert f"Made no git repository: git cannot read its settings: {why}" in " ".join(done.stderr.split())
    assert not Path("my-agent/.git").exists()
    assert Path("my-agent/pyproject.toml").is_file()


@pytest.mark.story("20.1")
def test_without_git_the_project_is_made(sentient: Sentient, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    done = sentient("create", "my-agent", *_QUICK, env={"PATH": str(empty)})
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("repository") == 1
    assert "Made no git repository: git is not installed\n" in done.stderr
    assert Path("my-agent/pyproject.toml").is_file()


@pytest.mark.slow  # a fresh installation
@pytest.mark.story("20.1", "20.6")
def test_an_installed_version_makes_a_project_with_a_lock(tmp_path: Path) -> None:
    site = tmp_path / "site"
    shutil.copytree(REPOSITORY / "sentient_cli", site / "sentient_cli", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(REPOSITORY / "templates", site / "sentient_cli" / "_templates")
    source = f"""
        import subprocess, sys, sysconfig
        from pathlib import Path
        assert sys.argv[1:3] == ["sync", "--python"], sys.argv
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", ".venv"], check=True)
        (folder,) = Path(".venv/lib").glob("python*/site-packages")
        links = "{site}\\nimport site; site.addsitedir(" + repr(sysconfig.get_path("purelib")) + ")\\n"
        (folder / "linked.pth").write_text(links)
        Path("uv.lock").write_text("locked")
    """
    path = fake(tmp_path / "tools", "uv", source)
    done = subprocess.run(
        [sys.executable, "-m", "sentient_cli", "create", "my-agent", "--yes"],
        env={**os.environ, "PYTHONPATH": str(site), "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "uv run sentient dev" in done.stderr
    assert "uv.lock" in git(Path("my-agent"), "ls-files").splitlines()


@pytest.mark.slow
@pytest.mark.story("20.1", "20.6")
def test_without_uv_and_without_a_network(sentient: Sentient, tmp_path: Path, free_port: int) -> None:
    path = os.pathsep.join(place for place in os.environ["PATH"].split(os.pathsep) if not Path(place, "uv").exists())
    env = {"PATH": path, "PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": f"http://127.0.0.1:{free_port}/simple"}
    done = sentient("create", "my-agent", "--yes", env=env)
    assert done.returncode == 0, done.stderr
    assert "No network" in done.stderr
    assert re.search(r"Its (tests pass|agent answers)", done.stderr)


@pytest.mark.slow
def test_without_a_network_it_is_linked_to_what_is_here(sentient: Sentient, tmp_path: Path) -> None:
    source = """
        import subprocess, sys
        if sys.argv[1] == "venv":
            sys.exit(subprocess.run([sys.executable, "-m", "venv", "--without-pip", ".venv"]).returncode)
        print("error: Failed to fetch: dns error: Name or service not known")
        sys.exit(1)
    """
    path = fake(tmp_path / "tools", "uv", source)
    done = sentient("create", "my-agent", "--yes", env={"PATH": path})
    assert done.returncode == 0, done.stderr
    assert "No network" in done.stderr
    assert re.search(r"Its (tests pass|agent answers)", done.stderr)
    script = Path("my-agent/.venv/bin/sentient")
    assert script.is_file()
    assert os.access(script, os.X_OK)


def test_a_secret_of_a_template_is_kept_nowhere(sentient: Sentient, tmp_path: Path) -> None:
    questions = "token:\n  type: str\n  secret: true\n  default: ''\n"
    folder = template(tmp_path / "t", {"a.txt.jinja": "length {{ token | length }}"}, questions)
    done = sentient("create", "x", *_QUICK, "-t", str(folder), "-d", "token=verysecretvalue")
    assert done.returncode == 0, done.stderr
    assert Path("x/a.txt").read_text() == "length 15"
    written = b"".join(content for _, content in shot(tmp_path).values())
    assert b"verysecretvalue" not in written


@pytest.mark.slow
def test_quiet_says_nothing(sentient: Sentient) -> None:
    done = sentient("create", "my-agent", *_QUICK, "-q")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.slow
def test_help_imports_no_templates() -> None:
    code = "import sys; from sentient_cli.cli.main import main; main(['create', '--help']); print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "--template" in done.stdout
    for name in ("copier", "jinja2", "yaml", "sentient_cli.scaffold"):
        assert f"'{name}'" not in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    "value",
    [
        "package=../../../evil",
        "package=/tmp/evil",
        "slug=../evil",
        'sentient_version=1"]; evil=["',
        'python=3"\nevil="',
    ],
)
def test_what_is_computed_is_checked_when_it_is_given(sentient: Sentient, tmp_path: Path, value: str) -> None:
    before = sorted(tmp_path.rglob("*"))
    done = sentient("create", "place/my-agent", *_QUICK, "--no-git", "--data", value)
    assert done.returncode == 2
    assert "cannot be" in done.stderr
    assert [path for path in sorted(tmp_path.rglob("*")) if path not in before and path.is_file()] == []
