"""The JSON Schema of settings files says what `load` accepts."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import cast

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.config import load
from sentient_cli.config.described import Setting, describe
from sentient_cli.config.keys import all_keys
from sentient_cli.config.loading import USERS_KEYS
from sentient_cli.config.schema import SchemaKind, settings_schema
from sentient_cli.config.toml_text import key_text, value_text
from sentient_cli.errors import ConfigError, ConfigurationNotFoundError
from tests.cli.processes import Sentient
from tests.plugins.isolation import REPOSITORY

_BLOCK = re.compile(r'```toml title="[^"]*sentient\.toml"\n(.*?)```', re.DOTALL)


@cache
def _validator(kind: SchemaKind = "project") -> jsonschema_rs.Draft7Validator:
    return jsonschema_rs.Draft7Validator(dict(settings_schema(kind)))


def _is_valid(text: str, kind: SchemaKind = "project") -> bool:
    # Through JSON, as editors have it: dates are text there.
    document = json.loads(json.dumps(tomllib.loads(text), default=str))
    return _validator(kind).is_valid(document)


@pytest.mark.story("5.1")
def test_the_command_prints_and_writes_it(sentient: Sentient) -> None:
    shown = sentient("config", "schema")
    assert json.loads(shown.stdout) == settings_schema() == json.loads(sentient("config", "schema", "--json").stdout)
    assert sentient("config", "schema", "--pyproject", "-o", "schema.json").returncode == 0
    assert json.loads(Path("schema.json").read_text()) == settings_schema("pyproject")
    assert sentient("config", "schema", "--pyproject", "--user").returncode == 2
    assert sentient("config", "schema", "-o", "no/where/at/all\0").returncode in {2, 3}


def test_it_is_a_schema_and_every_reference_leads_somewhere() -> None:
    for kind in ("project", "user", "pyproject"):
        schema = settings_schema(kind)
        jsonschema_rs.meta.validate(dict(schema))
        text = json.dumps(schema)
        definitions = cast("Mapping[str, object]", schema["definitions"])
        assert {f"#/definitions/{name}" for name in definitions} >= set(re.findall(r'"\$ref": "([^"]*)"', text))
        assert '"null"' not in text
        assert "Example:" not in text


def _node(name: str) -> Mapping[str, object]:
    schema = settings_schema("user")
    node: Mapping[str, object] = schema
    for part in name.split("."):
        node = cast("Mapping[str, Mapping[str, object]]", node["properties"])[part]
        if "$ref" in node:
            definitions = cast("Mapping[str, Mapping[str, object]]", schema["definitions"])
            node = definitions[str(node["$ref"]).rpartition("/")[2]]
    return node


@pytest.mark.parametrize("name", [name for name in all_keys() if name != "profile"])
def test_each_setting_has_its_description_default_and_range(name: str) -> None:
    setting, node = describe(name), _node(name)
    assert setting is not None
    assert str(node["description"]).startswith(setting.description.rstrip("."))
    assert setting.unit in str(node["description"])
    counted = node if setting.kind != "array" else cast("Mapping[str, object]", node.get("items", node))
    assert (counted.get("minimum"), counted.get("maximum")) == (setting.least, setting.most)
    assert counted.get("exclusiveMinimum") == setting.above
    assert tuple(cast("list[str]", counted.get("enum", []))) == setting.choices
    if setting.kind in {"boolean", "integer", "number"} and setting.default is not None:
        assert node["default"] == setting.default


def _pages() -> list[tuple[str, str]]:
    pages = [*(REPOSITORY / "docs").rglob("*.md"), REPOSITORY / "README.md"]
    blocks = [(page.name, block) for page in pages for block in _BLOCK.findall(page.read_text("utf-8"))]
    return [(name, block) for name, block in blocks if "prot = 9000" not in block]


@pytest.mark.parametrize(("page", "text"), _pages())
def test_the_files_of_the_documentation_are_valid(page: str, text: str) -> None:
    assert _is_valid(text) or not _loads(text), f"{page} has one that loads"  # a page may show one with a fault


def test_the_files_of_the_templates_are_valid() -> None:
    found = [path for path in (REPOSITORY / "templates").rglob("*.toml*") if path.name.startswith("sentient.toml")]
    shared = [
        path for path in (REPOSITORY / "templates").rglob("pyproject.toml*") if "tool.sentient" in path.read_text()
    ]
    assert found or shared
    for path in (*found, *shared):
        with suppress(tomllib.TOMLDecodeError):  # one with questions in it
            assert _is_valid(path.read_text(), "pyproject" if path in shared else "project"), path


@pytest.mark.parametrize(
    "text",
    [
        "[profile.production.server]\nport = 1\n",
        'profile = "default"\n',
        "[llm.providers.work]\napi_key_env = 'A'\nretry = { attempts = 2 }\nheaders = { a = 'b' }\n",
        "[llm.providers.work]\napi_key_env = ['A', 'B']\noptions = { a = [1, { b = 2 }] }\n",
        "[llm.presets.mine]\nbase = 'precise'\ntemperature = 0.1\n",
        "[experiments.a.variants]\ncontrol = {}\nwarm = { preset = 'creative' }\n",
    ],
)
def test_what_is_right(text: str) -> None:
    assert _loads(text)
    assert _is_valid(text)


@pytest.mark.parametrize(
    "text",
    [
        "prot = 1\n",
        "[server]\nport = 70000\n",
        "[server]\nport = true\n",
        "[server]\nrun_timeout = 0\n",
        "[server]\ntoken = ''\n",
        "[server]\nallow_origins = ['example.org']\n",
        "[profile.production.server]\nprot = 1\n",
        "[profile.production]\nprofile = 'x'\n",
        "[llm.providers.'a b']\nkind = 'openai'\n",
        "[llm.providers.work]\napi_key = 'x'\n",
        "[llm.providers.work]\napi_key_env = 'A B'\n",
        "[llm.providers.work]\nbase_url = 'ftp://x'\n",
        "[llm.groups]\nfast = []\n",
        "[store]\nurl = 'redis:'\n",
        "[audit]\ncheckpoint = 'x'\n",
        "[credentials]\nstores = ['keyring', 'keyring']\n",
    ],
)
def test_what_is_wrong(text: str) -> None:
    assert not _loads(text)
    assert not _is_valid(text)


def _loads(text: str) -> bool:
    Path("sentient.toml").write_text(text)
    with suppress(ConfigurationNotFoundError):  # a profile that is nowhere is beyond a schema
        try:
            load(environment={}, use_env_file=False)
        except ConfigError as error:
            if isinstance(error, ConfigurationNotFoundError):
                raise
            return False
    return True


_TEXTS = st.sampled_from(
    ["", "x", "memory", "sqlite:a", "http://a", "a.example", "*", "A_B", "2 3", "offline", "precise"]
)
_ANY = st.booleans() | st.integers(-3, 70_000) | st.floats(-2, 1e6, allow_nan=False) | _TEXTS


def _values(setting: Setting) -> st.SearchStrategy[object]:
    """Values of a setting's own type, right and wrong ones: what other types are taken for is beyond a schema."""
    if setting.choices and setting.kind != "array":
        return st.sampled_from([*setting.choices, "other"])
    own: dict[str, st.SearchStrategy[object]] = {
        "boolean": st.booleans(),
        "integer": st.integers(-3, 70_000) | st.booleans(),
        "number": st.floats(-3, 1e4, allow_nan=False) | st.integers(-3, 1000) | st.booleans(),
        "array": st.lists(st.sampled_from(setting.choices) if setting.choices else _TEXTS, max_size=3),
    }
    return own.get(setting.kind, _TEXTS | st.lists(st.just("x"), max_size=1) if setting.kind == "string" else _TEXTS)


@st.composite
def _settings(draw: st.DrawFn) -> str:
    names = draw(
        st.lists(st.sampled_from(sorted(set(all_keys()) - set(USERS_KEYS))), min_size=1, max_size=3, unique=True)
    )
    lines: list[str] = []
    for name in names:
        setting = describe(name)
        assert setting is not None
        lines.append(f"{key_text(name.split('.'))} = {value_text(draw(_values(setting)))}")
    return "\n".join(lines)


_BEYOND = frozenset({"llm.preset", "profile", "llm.safety.patterns"})


@given(text=_settings())
def test_generated_settings_are_valid_where_they_load(text: str) -> None:
    assert _is_valid(text) == _loads(text) or any(text.startswith(name) or f"\n{name}" in text for name in _BEYOND), (
        text
    )
