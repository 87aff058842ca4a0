"""What the user is told when their code fails while it is imported."""

from __future__ import annotations

import shlex
import traceback
from pathlib import Path

from sentient_cli.errors import AgentImportError
from sentient_cli.runtime.loading.frames import describe_exception, is_user_file, summarize, user_frames
from sentient_cli.runtime.loading.target import near

__all__ = ["import_failure"]

_DISTRIBUTIONS = {
    "PIL": "pillow",
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python",
    "dateutil": "python-dateutil",
    "docx": "python-docx",
    "dotenv": "python-dotenv",
    "fitz": "pymupdf",
    "git": "gitpython",
    "jwt": "pyjwt",
    "magic": "python-magic",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
"""Packages whose name on the package index differs from the one that is imported."""


_INSTALL = "Install the package that it is part of, with pip or uv"


def import_failure(error: BaseException, place: str) -> AgentImportError:
    """The error for what the user's code raised.

    Args:
        error: What was raised.
        place: What was being done, such as "agent.py failed while it was imported".
    """
    if isinstance(error, SyntaxError):
        return _syntax(error, place)
    if isinstance(error, SystemExit):
        return _exit(error, place)
    if isinstance(error, ModuleNotFoundError) and error.name:
        return _missing_module(error, error.name, place)
    if _is_circular(error):
        return _circular(error, place)
    return AgentImportError(place, why=summarize(error), fix=_look_at(error), detail=describe_exception(error))


def _look_at(error: BaseException) -> str:
    if isinstance(error, PermissionError) and str(error.filename).endswith(".py"):
        return f"Let your user read it: `chmod u+r {shlex.quote(str(error.filename))}`"
    frames = user_frames(error)
    return f"Look at {frames[0].filename}, line {frames[0].lineno}" if frames else "Check the code that it runs"


def _syntax(error: SyntaxError, place: str) -> AgentImportError:
    if not error.filename:
        return AgentImportError(place, why=error.msg, fix="Save it as text in UTF-8", detail=describe_exception(error))
    where = f", line {error.lineno}" if error.lineno else ""
    whose = "" if is_user_file(error.filename) else ", which is installed"
    return AgentImportError(
        f"{Path(error.filename).name} is no valid Python{whose}",
        why=error.msg,
        fix=f"Correct {error.filename}{where}",
        detail=_caret(error),
    )


def _caret(error: SyntaxError) -> str:
    if not error.text or not error.lineno:
        return ""
    line = error.text.rstrip("\r\n").expandtabs(1)
    shown = line.lstrip()
    start = max((error.offset or 1) - 1 - (len(line) - len(shown)), 0)
    same_line = error.end_lineno in {None, error.lineno}
    width = max((error.end_offset or 0) - (error.offset or 0), 1) if same_line else max(len(shown) - start, 1)
    return f"{error.filename}:{error.lineno}\n    {shown}\n    {' ' * start}{'^' * min(width, 80)}"


def _exit(error: SystemExit, place: str) -> AgentImportError:
    said = "" if error.code is None else f" with {error.code!r}"
    return AgentImportError(
        place,
        why=f"It ended the program (sys.exit){said}",
        fix='Move what a script does at its end below `if __name__ == "__main__":`, or use `sentient run`',
        detail=describe_exception(error),
    )


def _missing_module(error: ModuleNotFoundError, name: str, place: str) -> AgentImportError:
    top = name.partition(".")[0]
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith("<")]
    importer = Path(frames[-1].filename) if frames else Path()
    similar = near(top, _local_modules(error))
    if similar == top:
        why, fix = f"{importer.name} imports {name}; {top} is there, but has no such part", "Check the spelling"
    elif similar and is_user_file(str(importer)):
        why, fix = f"{importer.name} imports {name}, and there is no such module", f"Did you mean {similar}?"
    else:
        user = is_user_file(str(importer))
        why = f"{importer.name if user else _package(importer)} needs the module {top}, which is not installed"
        known = _DISTRIBUTIONS.get(top)
        # A guess at the name of a package may be a stranger's.
        fix = f"Install it: `pip install {known}`" if known else _INSTALL
    return AgentImportError(place, why=why, fix=fix, detail=describe_exception(error))


def _local_modules(error: BaseException) -> list[str]:
    names: set[str] = set()
    for folder in {Path(frame.filename).parent for frame in user_frames(error)}:
        names.update(path.stem for path in folder.glob("*.py"))
        names.update(path.parent.name for path in folder.glob("*/__init__.py"))
    return sorted(names)


def _package(file: Path) -> str:
    """The installed package that a file is of."""
    parts = file.parts
    after = [index + 1 for index, part in enumerate(parts) if part in {"site-packages", "dist-packages"}]
    return Path(parts[after[-1]]).stem if after and after[-1] < len(parts) else file.stem


def _is_circular(error: BaseException) -> bool:
    if "partially initialized module" in str(error):
        return True
    # Python says so only of modules that its own import statement began.
    begun = {frame.filename for frame in user_frames(error)[1:] if frame.name == "<module>"}
    return isinstance(error, ImportError) and error.path in begun


def _circular(error: BaseException, place: str) -> AgentImportError:
    frames = user_frames(error)
    files = list(dict.fromkeys(Path(frame.filename).name for frame in reversed(frames)))
    if isinstance(error, ImportError) and frames and error.path == frames[0].filename:
        return AgentImportError(
            place,
            why=f"{files[-1]} imports a name from itself, or from its own package, that is not there, or not yet",
            fix="Check the spelling, or move what it needs to a module of its own",
            detail=describe_exception(error),
        )
    return AgentImportError(
        place,
        why=f"Modules import each other in a circle: {' > '.join(files)}",
        fix="Move what both need to a third module, or import it where it is used",
        detail=describe_exception(error),
    )
