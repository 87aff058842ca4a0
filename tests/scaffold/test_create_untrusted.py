"""Templates that are not ours: what they want is shown, what they do has limits, and they write nowhere else."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from sentient_cli.errors import SentientError, TemplateRenderError, TemplateUnsafeError
from sentient_cli.scaffold.config import read_config
from sentient_cli.scaffold.limits import Limits
from sentient_cli.scaffold.render import open_template, render
from sentient_cli.scaffold.source import open_source
from sentient_cli.scaffold.trust import examine
from tests.cli.processes import run_sentient
from tests.scaffold.create_kit import shot, template

_QUICK = ("--yes", "--no-install", "--no-git", "--json")
_SMALL = Limits(seconds=50, memory=400 << 20, total=1 << 20, files=50)


def _refusal(*arguments: str, env: dict[str, str] | None = None) -> dict[str, str]:
    before = shot(Path.cwd())
    done = run_sentient("create", "x", *_QUICK, *arguments, env=env)
    assert done.returncode == 5, done.stderr
    assert shot(Path.cwd()) == before
    error: dict[str, str] = json.loads(done.stderr.splitlines()[-1])["error"]
    return error


@pytest.mark.slow
@pytest.mark.story("E20.3")
@pytest.mark.parametrize(
    "wanted",
    [
        pytest.param("_tasks:\n  - touch {marker}\n", marks=pytest.mark.measured),
        "_migrations:\n  - version: v1\n    before: [touch {marker}]\n",
        "_migrations:\n  - command: touch {marker}\n",
        "_jinja_extensions: [os.{marker}]\n",
    ],
)
def test_what_it_wants_to_run_is_shown_and_not_run(tmp_path: Path, wanted: str) -> None:
    marker = tmp_path / "marker"
    folder = template(tmp_path / "t", {"a.txt": "a"}, wanted.format(marker=marker))
    error = _refusal("-t", str(folder))
    assert error["code"] == "template-unsafe"
    assert "--trust" in error["fix"]
    assert str(marker) in error["detail"]
    assert not marker.exists()


@pytest.mark.measured
@pytest.mark.story("E20.3")
def test_with_trust_its_tasks_run(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    folder = template(tmp_path / "t", {"a.txt": "a"}, f"_tasks:\n  - echo $HOME > {marker}; echo made > b.txt\n")
    done = run_sentient("create", "x", *_QUICK, "--trust", "-t", str(folder))
    assert done.returncode == 0, done.stderr
    assert marker.read_text().strip() == os.environ["HOME"]
    assert Path("x/b.txt").read_text() == "made\n"


@pytest.mark.slow
@pytest.mark.story("E20.3")
@pytest.mark.parametrize("target", ["/etc/passwd", "../../secret", "sub/../../../secret"])
def test_a_link_out_of_it_is_refused(tmp_path: Path, target: str) -> None:
    (tmp_path / "secret").write_text("secret")
    folder = template(tmp_path / "t", {"sub/a.txt": "a"})
    (folder / "link.txt").symlink_to(target)
    error = _refusal("-t", str(folder))
    assert error["code"] == "template-unsafe"
    assert "link.txt" in error["what"]


def test_a_link_within_it_becomes_a_file(tmp_path: Path) -> None:
    folder = template(tmp_path / "t", {"a.txt": "a"})
    (folder / "b.txt").symlink_to("a.txt")
    with open_source(str(folder)) as source:
        files = render(source, {}).files
    assert {str(name): file.content for name, file in files.items()} == {"a.txt": b"a", "b.txt": b"a"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "questions", ["_preserve_symlinks: true\nname: x\n", "_preserve_symlinks: true\n_tasks: [ln -s / out]\n"]
)
def test_a_link_in_what_it_renders_is_refused(tmp_path: Path, questions: str) -> None:
    folder = template(tmp_path / "t", {"a.txt": "a"}, questions)
    (folder / "b.txt").symlink_to("a.txt")
    with open_source(str(folder)) as source, pytest.raises(TemplateUnsafeError, match="no plain file"):
        render(source, {}, trust=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["{{ '../' * 3 }}outside.txt.jinja", "{{ '..' }}/outside.txt", "{{ '/tmp/outside.txt' }}", "{{ '.git' }}/config"],
)
def test_a_name_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    folder = template(tmp_path / "t", {name: "a"})
    with open_source(str(folder)) as source, open_template(source) as opened:
        before = shot(tmp_path)
        try:
            rendering = opened.render({}, "project")
        except SentientError:
            pass
        else:
            assert all(".git" not in place.parts and ".." not in place.parts for place in rendering.files)
    after = shot(tmp_path)
    assert {key for key in after if "outside" in key} == {key for key in before if "outside" in key}


@pytest.mark.slow
@pytest.mark.parametrize(
    "body",
    [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{{ 'x' * 10 ** 10 }}",
        "{% set a = 'x' * 10 ** 6 %}{% for i in range(9999) %}{{ a }}{% endfor %}",
    ],
    ids=["endless", "memory", "output"],
)
def test_what_takes_too_much_is_ended(tmp_path: Path, body: str) -> None:
    folder = template(tmp_path / "t", {"a.txt.jinja": body})
    limits = Limits(seconds=1 if "99999" in body else 30, memory=400 << 20, total=1 << 20, files=50)
    with open_source(str(folder)) as source, pytest.raises((TemplateRenderError, TemplateUnsafeError)):
        render(source, {}, limits=limits)


@pytest.mark.slow
def test_a_question_that_never_ends_is_ended(tmp_path: Path) -> None:
    loop = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    folder = template(tmp_path / "t", {"a.txt": "a"}, f"name: '{loop}'\n")
    with (
        open_source(str(folder)) as source,
        open_template(source, limits=Limits(seconds=1)) as opened,
        pytest.raises(TemplateRenderError, match="The template"),
    ):
        opened.next({})


@pytest.mark.slow
def test_many_files_are_too_many(tmp_path: Path) -> None:
    folder = template(tmp_path / "t", {"{% yield n from range(999) %}{{ n }}{% endyield %}.txt": "a"})
    with open_source(str(folder)) as source, pytest.raises(TemplateUnsafeError, match="larger"):
        render(source, {}, limits=_SMALL)


@pytest.mark.story("E20.3")
def test_a_template_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    folder = template(tmp_path / "t", {"a.txt": "a"})
    with (folder / "zeros").open("wb") as file:
        file.truncate(1 << 40)  # a sparse file: a tebibyte that takes no room
    assert "more than 64 MiB" in _refusal("-t", str(folder))["why"]


def test_it_sees_no_variable_and_no_file_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-verysecretvalue")
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    body = "{{ '$OPENAI_API_KEY' | expandvars }}|{{ '~' | expanduser }}|{% include '../secret.txt' ignore missing %}"
    folder = template(tmp_path / "t", {"a.txt.jinja": body})
    with open_source(str(folder)) as source:
        (rendered,) = render(source, {}).files.values()
    text = rendered.content.decode()
    assert "verysecret" not in text
    assert os.environ["HOME"] not in text
    assert text.endswith("|")


_UNREADABLE = [
    ("a: [unclosed", "cannot be read"),
    ("- a\n- b\n", "no list of questions"),
    ("x: !include ../../secret.yml\n", "outside of it"),
    ("x: !!python/object/apply:os.system [id]\n", "cannot be read"),
]


@pytest.mark.parametrize(("questions", "error"), _UNREADABLE)
def test_a_configuration_that_cannot_be_read(tmp_path: Path, questions: str, error: str) -> None:
    with pytest.raises(SentientError, match=error):
        read_config(template(tmp_path / "t", {"a.txt": "a"}, questions))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("questions", "error"),
    [
        *_UNREADABLE,
        ("x: {type: str, default: '{{ 1 / 0 }}'}\n", "cannot be computed"),
        ("x: {type: str, default: '{{ nothing.at.all }}'}\n", "cannot be computed"),
    ],
)
def test_a_configuration_with_a_mistake(tmp_path: Path, questions: str, error: str) -> None:
    folder = template(tmp_path / "t", {"a.txt": "a"}, questions)
    with open_source(str(folder)) as source, pytest.raises(SentientError, match=error), open_template(source) as opened:
        opened.settle({})


@pytest.mark.story("E20.3")
@pytest.mark.parametrize(
    ("files", "place", "kind"),
    [
        ({"sub/a.txt.jinja": "\n{{ unclosed"}, "sub/a.txt.jinja:2", "TemplateSyntaxError"),
        ({"a.txt.jinja": "{% include 'b' %}", "b": "\n\n{{ nope.attr }}"}, "b:3", "UndefinedError"),
        ({"a.txt.jinja": b"\xff"}, "a.txt.jinja", "UnicodeDecodeError"),
        ({"{{ nope.attr }}.txt": "a"}, "{{ nope.attr }}.txt", "UserMessageError"),
    ],
    ids=["syntax", "undefined", "encoding", "name"],
)
def test_a_template_with_a_mistake_names_it(files: dict[str, str | bytes], place: str, kind: str) -> None:
    folder = template(Path.cwd().parent / "t", {**files, "well.txt.jinja": "{{ name }}"})
    error = _refusal("-t", str(folder))
    assert error["code"] == "template-render"
    assert error["why"].startswith(f"{place}: {kind}: ")
    assert error["fix"] == f"Correct {place}"


@pytest.mark.story("E20.3")
def test_a_process_that_breaks_is_said(tmp_path: Path) -> None:
    task = f"['{sys.executable}', '-c', 'import os; os.kill(os.getppid(), 9)']"
    folder = template(tmp_path / "t", {"a.txt": "a"}, f"_tasks: [{task}]\n")
    error = _refusal("--trust", "-t", str(folder))
    assert error["code"] == "template-render"
    assert "broke its process" in error["why"]


def test_hostile_text_cannot_act_on_the_terminal(tmp_path: Path) -> None:
    folder = template(tmp_path / "t", {"a.txt": "a"}, '_tasks: ["echo \\e]0;title\\a\\e[2J; rm -rf ~"]\n')
    done = run_sentient("create", "x", "--yes", "-t", str(folder), env={"FORCE_COLOR": "1"})
    assert "rm -rf ~" in done.stderr
    assert "\x1b]0" not in done.stderr
    assert "\x1b[2J" not in done.stderr


@pytest.mark.story("E20.3")
def test_its_code_is_not_run_unless_it_is_trusted(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    setup = f"open({str(marker)!r}, 'w')"
    project = "[project]\nname = 'x'\nversion = '1'\n"
    project += "[build-system]\nrequires = []\nbuild-backend = 'b'\nbackend-path = ['.']\n"
    folder = template(tmp_path / "t", {"pyproject.toml": project, "b.py": setup})
    done = run_sentient("create", "x", "--yes", "-t", str(folder))
    assert done.returncode == 0, done.stderr
    assert "Nothing is installed" in done.stderr
    assert not marker.exists()
    assert not Path("x/.venv").exists()


def test_its_facts_are_known_without_running_it(tmp_path: Path) -> None:
    folder = template(tmp_path / "t", {"a.txt": "aaa"}, "_tasks: [id]\n_jinja_extensions: [m]\nname: x\n")
    with open_source(str(folder)) as source:
        facts = examine(source)
    assert (facts.questions, facts.programs, facts.extensions, facts.files) == (("name",), ("id",), ("m",), 2)
    assert facts.wants == ("run   id", "load  m")


_ALL = "_exclude: [copier.yml]\n"  # in the place of Copier's own exclusions, of which `.git` is one


@pytest.mark.slow
@pytest.mark.story("E20.3")
@pytest.mark.parametrize("name", [".git/config", "sub/.git", "sub/.git/hooks/pre-commit", "{{ '.git' }}/config"])
def test_a_template_that_renders_into_a_repository_is_refused(tmp_path: Path, name: str) -> None:
    folder = template(tmp_path / "t", {f"project/{name}": "a", "project/a.txt": "a"}, f"{_ALL}_subdirectory: project\n")
    error = _refusal("-t", str(folder))
    assert error["code"] == "template-unsafe"
    assert ".git" in error["what"]
    assert "git's own directory" in error["why"]


def test_the_repository_of_a_template_is_left_out(tmp_path: Path) -> None:
    folder = template(tmp_path / "t", {"a.txt": "a", ".git/config": "nonsense"}, _ALL)
    with open_source(str(folder)) as source:
        assert set(map(str, render(source, {}).files)) == {"a.txt"}


def test_what_copier_leaves_out_is_left_out(tmp_path: Path) -> None:
    folder = template(tmp_path / "t", {"a.txt": "a", "sub/.git/config": "a"})
    with open_source(str(folder)) as source:
        assert set(map(str, render(source, {}).files)) == {"a.txt"}


@pytest.mark.slow
def test_a_repository_that_an_allowed_task_made_gives_way_to_ours(tmp_path: Path) -> None:
    folder = template(tmp_path / "t", {"a.txt": "a"}, "_tasks: [git init --quiet]\n")
    with open_source(str(folder)) as source:
        assert set(map(str, render(source, {}, trust=True).files)) == {"a.txt"}
