"""The reference holds every public name."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.sources import package
from tests.plugins.isolation import REPOSITORY


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reference")
    # In a process of its own, where nothing is measured: it takes a sixth of the time.
    code = "import sys; from pathlib import Path; from docs.tools.reference import write; write(Path(sys.argv[1]))"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    subprocess.run([sys.executable, "-c", code, str(folder)], cwd=REPOSITORY, env=environment, check=True)
    return folder


def _public_modules() -> list[str]:
    names = [source.name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for source in package()]
    return [name for name in names if not any(part.startswith("_") for part in name.split("."))]


def test_every_public_name_is_in_the_reference(reference: Path) -> None:
    missing: list[str] = []
    for name in _public_modules():
        exported: list[str] = list(getattr(importlib.import_module(name), "__all__", ()))
        if not exported:
            continue
        page = (reference / f"{name}.md").read_text("utf-8")
        missing += [f"{name}.{each}" for each in exported if f"## `{each}`" not in page]
    assert missing == []


def test_a_public_name_has_a_docstring(reference: Path) -> None:
    bare: list[str] = []
    for page in sorted(reference.glob("sentient_cli*.md")):
        parts = page.read_text("utf-8").split("\n## ")[1:]
        for part in parts:
            title, _, body = part.partition("\n")
            is_class_or_function = "\n```python\nclass " in body or "\n```python\ndef " in body or "async def " in body
            text = body.split("```", 2)[-1].strip()
            if is_class_or_function and not text:
                bare.append(f"{page.stem}: {title}")
    assert bare == []


def test_the_root_hands_out_what_it_names() -> None:
    root = importlib.import_module("sentient_cli")
    exported: list[str] = list(getattr(root, "__all__", ()))
    assert [name for name in exported if not hasattr(root, name)] == []
