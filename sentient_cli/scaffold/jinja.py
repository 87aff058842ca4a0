"""The environment in which a template's texts are computed: Jinja's sandbox, set up as Copier does."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

import jinja2
from jinja2.sandbox import SandboxedEnvironment

from sentient_cli.errors import TemplateError
from sentient_cli.runtime.events import JsonValue
from sentient_cli.scaffold.config import TemplateConfig

__all__ = ["make_environment"]

_FILTERS = "jinja2_ansible_filters.AnsibleCoreFiltersExtension"
_UNDEFINED: Mapping[str, type[jinja2.Undefined]] = {
    "jinja2.Undefined": jinja2.Undefined,
    "jinja2.StrictUndefined": jinja2.StrictUndefined,
}


def make_environment(root: Path, config: TemplateConfig, *, ours: bool, trust: bool = False) -> SandboxedEnvironment:
    """The environment of a template.

    Args:
        root: The directory of its ``copier.yml``.
        config: What that file says.
        ours: Whether the template comes with this package: it uses three of the filters that others may use, and
            loading the rest would double the time.
        trust: Whether the extensions that it names may be loaded.

    Raises:
        TemplateError: an extension is missing, or an option is unknown.
    """
    options = dict(cast("Mapping[str, object]", config.settings.get("envops") or {}))
    undefined = _UNDEFINED.get(str(options.pop("undefined", "")), jinja2.Undefined)
    extensions = () if ours else (_FILTERS, *(config.texts("jinja_extensions") if trust else ()))
    texts = {name: str(value) for name, value in options.items() if name.endswith(("_string", "_prefix"))}
    flags = {name: bool(value) for name, value in options.items() if name.endswith("_blocks")}
    try:
        environment = SandboxedEnvironment(
            loader=jinja2.FileSystemLoader(root),
            keep_trailing_newline=bool(options.get("keep_trailing_newline", True)),
            undefined=undefined,
            extensions=extensions,
            **texts,
            **flags,
        )
    except (ImportError, AttributeError, TypeError, AssertionError) as error:
        raise TemplateError(
            "The template needs an extension of Jinja that is not there",
            why=str(error),
            fix="Install it in the environment of `sentient`",
        ) from error
    if ours:
        filters = cast("dict[str, Callable[..., object]]", environment.filters)
        filters.update(regex_search=_search, regex_replace=_replace, to_json=_json)
    return environment


def _json(value: JsonValue, *, ensure_ascii: bool = True) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii)


def _search(value: object, pattern: str) -> str | None:
    found = re.search(pattern, str(value))
    return found.group() if found else None


def _replace(value: object, pattern: str, replacement: str = "") -> str:
    return re.sub(pattern, replacement, str(value))
