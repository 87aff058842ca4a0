"""Options that several of ``sentient keys`` share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

__all__ = [
    "FromFileOption",
    "HostsOption",
    "KeyProfileOption",
    "KeyStoreOption",
    "NameArgument",
    "PassphraseFileOption",
    "RawOption",
    "YesOption",
]

NameArgument: TypeAlias = Annotated[
    str, typer.Argument(metavar="NAME", help="What the key is called, most often its provider.", show_default=False)
]
KeyProfileOption: TypeAlias = Annotated[
    str | None, typer.Option("--profile", metavar="NAME", help="The profile, else the chosen one.")
]
KeyStoreOption: TypeAlias = Annotated[
    str | None, typer.Option("--store", metavar="STORE", help="The store, else the first that can be used.")
]
FromFileOption: TypeAlias = Annotated[
    Path | None, typer.Option("--from-file", metavar="FILE", help="Read the key from FILE; `-`: from stdin.")
]
HostsOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--host", metavar="HOST", help="Where it may be sent, else its provider's host; may be repeated."),
]
RawOption: TypeAlias = Annotated[
    bool, typer.Option("--raw", help="Keep line breaks and white space of the key.", show_default=False)
]
PassphraseFileOption: TypeAlias = Annotated[
    Path | None,
    typer.Option("--passphrase-file", metavar="FILE", help="Read the passphrase from FILE, which only you can read."),
]
YesOption: TypeAlias = Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing.", show_default=False)]
