"""The page on the architecture names every part of the package."""

from __future__ import annotations

from pathlib import Path

import sentient_cli

_PACKAGE = Path(sentient_cli.__file__).parent
_PAGE = _PACKAGE.parent / "docs" / "architecture.md"


def test_every_module_has_a_place_in_the_layers_of_the_page() -> None:
    layers = _PAGE.read_text().partition("## Layers")[2].partition("\n## ")[0]
    parts = {path.stem for path in _PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    missing = sorted(name for name in parts - {"__init__", "__main__"} if f"`{name}`" not in layers)
    assert missing == []


def test_every_folder_is_in_the_table_of_folders() -> None:
    folders = _PAGE.read_text().partition("## The folders")[2].partition("\n## ")[0]
    packages = sorted(path.name for path in _PACKAGE.iterdir() if (path / "__init__.py").exists())
    assert [name for name in packages if f"`sentient_cli/{name}/`" not in folders] == []
