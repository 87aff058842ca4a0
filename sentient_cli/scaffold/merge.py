"""Three versions of one file become one: the template's as it was, the user's, and the template's as it is."""

from __future__ import annotations

import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sentient_cli.config.environ import process_environment
from sentient_cli.errors import ProjectError

__all__ = ["TEMPLATE", "YOURS", "Merged", "is_binary", "marked", "merge_text", "with_line_ends_of"]

YOURS = "yours"
TEMPLATE = "template"
SECONDS = 60
_MARKER = 7
_LOOKED_AT = 8000  # as git decides what is binary
_MOST_CONFLICTS = 127
_RUNS = re.compile(rb"^(<{7,}|={7,}|>{7,}|\|{7,})", re.MULTILINE)
_OPEN = re.compile(rb"^<{7,} yours\r?$.*?^>{7,} template\r?$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Merged:
    """What came of a merge.

    Args:
        content: The bytes, with marks where both changed the same lines.
        conflicts: How many such places there are.
    """

    content: bytes
    conflicts: int = 0


def is_binary(content: bytes) -> bool:
    r"""Whether a file is no text, by git's rule.

    Example:
        >>> is_binary(b"\x89PNG\0"), is_binary(b"text")
        (True, False)
    """
    return b"\0" in content[:_LOOKED_AT]


def marked(content: bytes) -> bool:
    """Whether the marks of a merge are still in a file."""
    return _OPEN.search(content) is not None


def with_line_ends_of(yours: bytes, content: bytes) -> bytes:
    r"""The template's text with the user's line ends, where all of those are CRLF and none of the template's is.

    Example:
        >>> with_line_ends_of(b"a\r\nb\r\n", b"c\n")
        b'c\r\n'
        >>> with_line_ends_of(b"a\r\nb\n", b"c\n")
        b'c\n'
    """
    crlf = yours.count(b"\r\n")
    if not crlf or crlf != yours.count(b"\n") or b"\r\n" in content or is_binary(content):
        return content
    return content.replace(b"\n", b"\r\n")


def merge_text(base: bytes, yours: bytes, template: bytes) -> Merged:
    """Merge three versions of a text with ``git merge-file``.

    What the user changed stays, and so does what the template changed; where both changed the same lines, both are
    kept between marks. The user's line ends are kept.

    Args:
        base: The template's version that the user began with.
        yours: The user's version.
        template: The template's version now.

    Raises:
        ProjectError: git is missing, or cannot merge.
    """
    base, template = with_line_ends_of(yours, base), with_line_ends_of(yours, template)
    # Longer than any run that is in the text already, so that ours can be told from those of an earlier merge.
    runs = [len(run) for text in (base, yours, template) for run in _RUNS.findall(text)]
    size = max([_MARKER - 1, *runs]) + 1
    with tempfile.TemporaryDirectory(prefix="sentient-merge-") as folder:
        names = (YOURS, "base", TEMPLATE)
        for name, content in zip(names, (yours, base, template), strict=True):
            (Path(folder) / name).write_bytes(content)
        labels = [part for name in names for part in ("-L", name)]
        return _run(["merge-file", "-p", "-q", f"--marker-size={size}", *labels, *names], Path(folder))


def _run(arguments: list[str], folder: Path) -> Merged:
    kept = {name: value for name, value in process_environment().items() if not name.startswith("GIT_")}
    alone = {"GIT_CONFIG_NOSYSTEM": "1", "HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "LC_ALL": "C"}
    try:
        done = subprocess.run(  # noqa: S603 - our own command line
            ["git", *arguments],  # noqa: S607 - the user's git
            cwd=folder,
            env={**kept, **alone, "GIT_CEILING_DIRECTORIES": str(folder.parent)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
    except FileNotFoundError:
        raise ProjectError("git is needed to merge your changes with the template's", fix="Install git") from None
    except subprocess.TimeoutExpired:
        raise ProjectError("git did not merge a file in time", fix="Try again when the machine is less busy") from None
    if not 0 <= done.returncode <= _MOST_CONFLICTS:
        said = done.stderr.decode("utf-8", "replace").strip()
        raise ProjectError("git could not merge a file", why=said, fix="Check that `git merge-file -h` works")
    return Merged(done.stdout, done.returncode)
