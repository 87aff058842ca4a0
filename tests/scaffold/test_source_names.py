"""What names no template, and where none may come from; `create` says the same in one error."""

from __future__ import annotations

from pathlib import Path

import pytest

from sentient_cli.errors import SentientError
from sentient_cli.scaffold.source import open_source


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("", "names no template"),
        ("--upload-pack=id", "names no template"),
        ("basics", "There is no template"),
        ("ftp://host/x", "cannot come from"),
        ("ext::sh -c id", "cannot come from"),
        ("http://example.org/x", "cannot come from"),
        ("https://-oProxyCommand=id/x", "cannot come from"),
        ("https://example.org/x@a..b", "is no branch"),
        (".", "holds no template"),
        ("./nothing", "There is no"),
    ],
)
def test_what_is_no_template_is_not_opened(spec: str, said: str) -> None:
    with pytest.raises(SentientError, match=said), open_source(spec):
        pass
    assert list(Path().iterdir()) == []
