"""What docstrings tell a model about a tool and its parameters, in each of the usual styles."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.llm.tools.docstrings import describe


@pytest.mark.parametrize(
    ("docstring", "text", "parameters"),
    [
        (None, "", {}),
        ("Do it.", "Do it.", {}),
        ("Do it.\n\n:param int a: one\n    more\n:param b: two\n:returns: x", "Do it.", {"a": "one more", "b": "two"}),
        (
            "Do it.\n\nArgs:\n  a (int): one: or\n    two\n  *b: c\n\nRaises:\n  a: no",
            "Do it.",
            {"a": "one: or two", "b": "c"},
        ),
        ("Do it:\n\nArguments:\n\n    a: one\n\nThe end:\n    b: no", "Do it:", {"a": "one"}),
        ("Do it.\n\nArgs:\n    a: one\n\nKeyword Args:\n    b: two", "Do it.", {"a": "one", "b": "two"}),
        (
            """Do it.

            Parameters
            ----------
            a : int, optional
                one,

                or two
            b, *c
                three

            Returns
            -------
            int
                a : no

            Other Parameters
            ----------------
            d: str
                four
            """,
            "Do it.",
            {"a": "one, or two", "b": "three", "c": "three", "d": "four"},
        ),
        ("Do it.\n\nParameters\n\nare few.\n\nA heading\n---------\na : no", None, {}),
    ],
)
def test_docstrings_tell_about_parameters(docstring: str | None, text: str | None, parameters: dict[str, str]) -> None:
    assert describe(docstring) == (docstring if text is None else text, parameters)


@pytest.mark.slow
@given(
    st.text(alphabet="Args:\n param-x(*) ", max_size=80)
    | st.lists(st.sampled_from(["Parameters", "---", "a : int", " b", "", "Args:", "Returns"]), max_size=9).map(
        "\n".join
    )
)
def test_no_docstring_is_an_error(docstring: str) -> None:
    describe(docstring)
