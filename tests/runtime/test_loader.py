"""The loader through its public door: every way to name an agent, and every kind of agent."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sentient_cli.errors import AgentImportError
from sentient_cli.runtime.loader import load_agent
from tests.runtime.loader_kit import CLASS, PLAIN, WRAPPER, Write, answer, interpreter, write

__all__ = ["interpreter", "write"]

# -- ways to name an agent -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["shop.py", "shop", "shop:Echo", "shop.py:Echo", "./shop.py"])
def test_a_file_or_a_module_can_be_named(target: str, write: Write, tmp_path: Path) -> None:
    file = write("shop.py", CLASS)
    loaded = load_agent(target, project_dir=tmp_path)
    assert (loaded.name, loaded.source, loaded.target) == ("Echo", file, "shop:Echo")
    assert answer(loaded) == "done"


@pytest.mark.parametrize(
    "place", ["agent.py", "main.py", "app.py", "src/agent.py", "src/app.py", "shop/agent.py", "src/shop/agent.py"]
)
def test_an_agent_is_found_where_projects_keep_it(place: str, write: Write, tmp_path: Path) -> None:
    file = write(place, CLASS)
    if "shop" in place:
        (file.parent / "__init__.py").touch()
    assert load_agent(None, project_dir=tmp_path).source == file


@pytest.mark.parametrize("target", [None, "agent.py", "agent"])
def test_an_agent_may_be_a_link_to_a_file_elsewhere(target: str | None, write: Write, tmp_path: Path) -> None:
    file = write("elsewhere/shared.py", CLASS)
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "agent.py").symlink_to(file)
    loaded = load_agent(target, project_dir=tmp_path / "project")
    assert (loaded.name, loaded.source) == ("Echo", file)
    assert answer(loaded) == "done"


def test_a_package_may_hold_the_agent_itself(write: Write, tmp_path: Path) -> None:
    write("shop/impl.py", CLASS)
    write("shop/__init__.py", "from shop.impl import Echo\n\nagent = Echo()\n")
    assert load_agent(None, project_dir=tmp_path).target == "shop:agent"


def test_a_file_that_mentions_no_agent_is_passed_over(write: Write, tmp_path: Path) -> None:
    write("main.py", "print('a script of another kind')\n")
    file = write("app.py", CLASS)
    assert load_agent(None, project_dir=tmp_path).source == file


def test_agent_py_comes_before_main_py(write: Write, tmp_path: Path) -> None:
    write("main.py", CLASS)
    file = write("agent.py", CLASS)
    assert load_agent(None, project_dir=tmp_path).source == file


def test_a_directory_is_searched(write: Write, tmp_path: Path) -> None:
    file = write("inner/agent.py", CLASS)
    assert load_agent("./inner", project_dir=tmp_path).source == file
    assert load_agent(str(tmp_path / "inner"), project_dir=tmp_path).source == file


def test_a_typed_path_is_tried_from_where_it_was_typed(write: Write, tmp_path: Path) -> None:
    write("agent.py", CLASS)
    near = write("inner/agent.py", CLASS)
    assert load_agent("agent.py", project_dir=tmp_path, base=tmp_path / "inner").source == near


def test_siblings_and_src_can_be_imported(write: Write, tmp_path: Path) -> None:
    write("src/helping.py", "NAME = 'helped'\n")
    write("inner/beside.py", "from helping import NAME\n")
    write("inner/agent.py", "from beside import NAME\n" + PLAIN)
    assert load_agent("inner/agent.py", project_dir=tmp_path).target == "agent:assist"


def test_a_file_in_a_package_may_import_relatively(write: Write, tmp_path: Path) -> None:
    write("shop/__init__.py", "")
    write("shop/goods/__init__.py", "")
    write("shop/prices.py", "PRICE = 3\n")
    write("shop/goods/seller.py", "from ..prices import PRICE\n" + PLAIN)
    assert load_agent("shop/goods/seller.py", project_dir=tmp_path).target == "shop.goods.seller:assist"


@pytest.mark.parametrize("name", ["my-agent.py", "json.py", "2nd.py", "naïve agent.py"])
def test_a_file_name_need_not_be_a_module_name(name: str, write: Write, tmp_path: Path) -> None:
    write(name, CLASS)
    loaded = load_agent(name, project_dir=tmp_path)
    assert loaded.name == "Echo"
    assert "dumps" in vars(sys.modules.get("json", __import__("json")))


def test_two_files_of_one_name_do_not_meet(write: Write, tmp_path: Path) -> None:
    first, second = write("a/agent.py", CLASS), write("b/agent.py", CLASS)
    loaded = [load_agent(str(path), project_dir=path.parent) for path in (first, second, second)]
    assert [item.source for item in loaded] == [first, second, second]
    assert loaded[1].target == loaded[2].target != loaded[0].target


def test_a_package_of_a_taken_name_is_said(write: Write, tmp_path: Path) -> None:
    write("email/__init__.py", "")
    file = write("email/agent.py", CLASS)
    with pytest.raises(AgentImportError) as caught:
        load_agent(str(file), project_dir=tmp_path / "email")
    assert "email" in str(caught.value)


# -- kinds of agents -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "name"),
    [
        pytest.param(CLASS, "Echo", id="class"),
        pytest.param(CLASS + "\nmine = Echo('Eve')\n", "Eve", id="instance"),
        pytest.param(PLAIN, "shop", id="function"),
        pytest.param(
            "from sentient_cli.runtime.agent import agent\n@agent\n" + PLAIN.replace("assist", "fine"),
            "fine",
            id="decorator",
        ),
        pytest.param(
            "from sentient_cli.runtime.agent import agent\n@agent(name='Ann')\n" + PLAIN.replace("assist", "fine"),
            "Ann",
            id="named",
        ),
        pytest.param(
            "class Duck:\n    async def assist(self, session, query, response_handler):\n"
            "        await response_handler.emit_text_block('ANSWER', query.prompt)\n",
            "Duck",
            id="duck",
        ),
        pytest.param(
            "class Named:\n    def __init__(self, name): self.name = name\n    async def assist(self, *parts): pass\n",
            "Named",
            id="needs-its-name",
        ),
        pytest.param(
            CLASS.replace("Echo", "Base") + "\nclass Derived(Base):\n    pass\n", "Derived", id="the-derived-class"
        ),
        pytest.param(
            WRAPPER + "@wrap\n" + PLAIN,
            "shop",
            id="wrapped",
        ),
        pytest.param("from other import Echo\n", "Echo", id="imported-class"),
        pytest.param("from other import Echo\n" + CLASS.replace("Echo", "Own"), "Own", id="own-class-first"),
        pytest.param(CLASS + "\none = Echo()\nagent = Echo('preferred')\n", "preferred", id="called-agent"),
        pytest.param(CLASS + "\n_hidden = Echo()\nshown = Echo('shown')\n", "shown", id="hidden"),
    ],
)
def test_what_is_an_agent(code: str, name: str, write: Write, tmp_path: Path) -> None:
    write("other.py", CLASS)
    write("shop.py", code)
    loaded = load_agent("shop.py", project_dir=tmp_path)
    assert loaded.name == name
    assert answer(loaded) == "done"


def test_a_function_of_any_name_can_be_named(write: Write, tmp_path: Path) -> None:
    write("shop.py", PLAIN.replace("assist", "sell"))
    loaded = load_agent("shop:sell", project_dir=tmp_path)
    assert loaded.name == "sell"
    assert answer(loaded) == "done"


def test_a_name_may_lead_into_an_object(write: Write, tmp_path: Path) -> None:
    write("shop.py", CLASS + "\nclass Box:\n    inner = Echo('inside')\n")
    assert load_agent("shop:Box.inner", project_dir=tmp_path).name == "inside"


def test_the_main_block_is_not_executed(write: Write, tmp_path: Path) -> None:
    write("shop.py", CLASS + "\nif __name__ == '__main__':\n    raise RuntimeError\n")
    assert load_agent("shop.py", project_dir=tmp_path).name == "Echo"


def test_what_computes_its_attributes_is_no_agent(write: Write, tmp_path: Path) -> None:
    write("shop.py", "class Proxy:\n    def __getattr__(self, name): return self\nproxy = Proxy()\n" + CLASS)
    assert load_agent("shop.py", project_dir=tmp_path).name == "Echo"
