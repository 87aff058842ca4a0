from __future__ import annotations

import asyncio
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.llm import Message
from sentient_cli.llm.offline.assistant import Talk, reply
from sentient_cli.llm.offline.assistant.arithmetic import evaluate
from sentient_cli.llm.offline.assistant.concepts import CONCEPTS
from sentient_cli.llm.offline.assistant.samples import AGENT
from tests.llm.parts import DAY_NS, manager, offline


def talk(*said: str, seed: int = 0) -> str:
    """The assistant's answer to the last of what the user says, with its own answers in between."""
    messages: list[Message] = []
    answer = ""
    for text in said:
        messages.append(Message.user(text))
        answer = reply(Talk(messages, seed, DAY_NS))
        messages.append(Message.assistant(answer))
    return answer


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (["My name is Ada.", "Hello", "What is my name?"], "Your name is Ada."),
        (["call me bob", "who am I?"], "Your name is Bob."),
        (["What is my name?"], "You have not told me your name in this conversation."),
        (["my favourite colour is green", "what is my favourite colour?"], "Your favourite colour is green."),
        (["what is my cat?"], "You have not told me about your cat in this conversation."),
        (["one", "two", "What was my last message?"], 'Your last message was: "two"'),
        (["one", "two", "What was my first question?"], 'Your first message was: "one"'),
        (["What was my last message?"], "This is your first message in this conversation."),
        (["What did I say?"], "Nothing yet: this is your first message in this conversation."),
        (["Reverse: abc", "say that again"], "cba"),
        (["say that again"], "I have not said anything yet."),
        (["What is 15% of 80?"], "15% of 80 = 12"),
        (["what's (2+3) * 4 squared?"], "(2 + 3) * 4^2 = 80"),
        (["10 / 4"], "10 / 4 = 2.5"),
        (["calculate 1/3"], "1 / 3 = 0.3333333333 (rounded)"),
        (["What is 1,000 plus 24?"], "1000 + 24 = 1024"),
        (["what is 7 mod 4"], "7 mod 4 = 3"),
        (["what is -2 - -3?"], "-2 - -3 = 1"),
        (["1/0"], "That divides by zero, so it has no value."),
        (["0^-1"], "That divides by zero, so it has no value."),
        (["what is (2 + 3"], "You ask"),
        (["what is 5 + 2 5"], "You"),
        (["what was 99999 weeks ago, which day?"], "That was Saturday, 18 May 0109."),
        (["2^0.5"], "I only raise to whole powers."),
        (["2^999999999"], "That number is too long for me to write down."),
        (["What day is it?"], "Today is Saturday, 22 November 2025 (UTC)."),
        (["which day is tomorrow?"], "Tomorrow is Sunday, 23 November 2025."),
        (["what day was yesterday?"], "Yesterday was Friday, 21 November 2025."),
        (["What time is it?"], "It is 00:00 UTC on Saturday, 22 November 2025."),
        (
            ["How many days until 2025-12-24?"],
            "From Saturday, 22 November 2025 to Wednesday, 24 December 2025: 32 days.",
        ),
        (["what weekday is 2000-01-01?"], "2000-01-01 is a Saturday, day 1 of its year."),
        (["what is 2025-02-30?"], "There is no such date in the calendar."),
        (["what date is in 2 weeks?"], "That will be Saturday, 6 December 2025."),
        (["what date was 3 days ago?"], "That was Wednesday, 19 November 2025."),
        (["what is the date in 99999 weeks"], "That will be Saturday, 30 May 3942."),
        (["Count the words: one two three"], "3 words."),
        (["how many letters in banana"], "6 letters."),
        (["how many r's in strawberry"], "The letter 'r' is in it 3 times."),
        (["Count: One. Two!\nThree"], "3 words, 15 characters, 3 sentences, 2 lines."),
        (['Uppercase "hello there"'], "HELLO THERE"),
        (["make this title case: the run log"], "The Run Log"),
        (["Reverse the words: one two three"], "three two one"),
        (["Sort: pear, apple, fig"], "apple, fig, pear"),
        (["Sort: b\na"], "a\nb"),
        (["Deduplicate: a, b, a"], "a, b"),
        (["Spell: abc"], "A-B-C"),
        (["keywords: the run log of the run"], "run, log"),
        (["Extract the emails: a@b.com, b c@d.org a@b.com"], "- a@b.com\n- c@d.org"),
        (["Extract the links: see https://a.org/b, and http://c.org"], "- https://a.org/b,\n- http://c.org"),
        (["Find the numbers: 1, 2.5 and x3"], "- 1\n- 2.5"),
        (["Extract the dates: nothing"], "I see no dates in that text."),
        (["Hello world", "uppercase that"], "HELLO WORLD"),
        (["Make a checklist: tea, milk and bread"], "- [ ] tea\n- [ ] milk\n- [ ] bread"),
        (["Write a numbered list of a, b"], "1. a\n2. b"),
        (["list: a, b"], "- a\n- b"),
        (["Make a bullet list for a and b"], "- a\n- b"),
        (["Create json: a, b"], '```json\n[\n  "a",\n  "b"\n]\n```'),
        (["Make a table of a|b, c"], "| # | item |\n|---:|---|\n| 1 | a b |\n| 2 | c |"),
        (["What is a run?"], CONCEPTS["run"]),
        (["entry"], CONCEPTS["entry"]),
        (["Explain the difference between a session and a run"], CONCEPTS["session"] + "\n\n" + CONCEPTS["run"]),
    ],
)
def test_it_is_useful(said: list[str], answer: str) -> None:
    assert talk(*said).startswith(answer)


@pytest.mark.parametrize(
    ("prompt", "part"),
    [
        ("Hello!", "o"),
        ("how are you", "deterministic"),
        ("thanks", "."),
        ("bye", "!"),
        ("", "empty message"),
        ("Who are you?", "offline model"),
        ("help", "**Calculate**"),
        ("How do I use a real model?", "sentient.toml"),
        ("what is sentient?", "`sentient serve`"),
        ("give me the glossary", "`session`"),
        ("Show me an agent", "class Assistant(Agent)"),
        ("show me some markdown", "# A heading"),
        ("I like tea", "you like tea"),
        ("remember that the door is open", "the door is open"),
        ("I'm Bob", "Bob"),
        ("word " * 60, "60 words"),
        ("Call 555-1234 when you are there", "*Call*"),
    ],
)
def test_it_answers_in_kind(prompt: str, part: str) -> None:
    assert part in talk(prompt)


def test_it_knows_what_it_was_told() -> None:
    said = talk("My name is Ada", "I live in Paris", "What do you know about me?")
    assert "- Your name is Ada." in said
    assert "- You live in Paris." in said


def test_it_claims_nothing_about_the_world() -> None:
    answers = {talk("What is the capital of France?", seed=seed) for seed in range(12)}
    assert len(answers) > 2
    assert all("Paris" not in answer and "*capital* and *France*" in answer for answer in answers)


def test_it_comes_back_to_what_was_said() -> None:
    assert 'You mentioned Rome before: "I was in Rome".' in talk("I was in Rome", "Is Rome large?")


def test_every_concept_is_explained() -> None:
    for word, meaning in CONCEPTS.items():
        assert talk(f"What is a {word}?") == meaning


def test_the_sample_is_python() -> None:
    compile(AGENT, "agent.py", "exec")


def test_a_summary_keeps_the_sentences_that_matter() -> None:
    text = "The log orders entries. It rained. Entries of the log have numbers. Tea is nice. The log ends."
    assert talk(f"Summarise: {text}") == "The log orders entries. Entries of the log have numbers."
    assert talk(text, "summarise that") == "The log orders entries. Entries of the log have numbers."


@pytest.mark.slow
@given(
    st.recursive(
        st.integers(0, 99).map(str),
        lambda e: st.tuples(e, st.sampled_from("+-*"), e).map("({0[0]} {0[1]} {0[2]})".format),
    )
)
def test_arithmetic_is_that_of_python(expression: str) -> None:
    assert evaluate(expression) == Fraction(eval(expression))  # noqa: S307 - made of numbers just now


@given(st.text(alphabet="0123456789+-*/^%~(). x", max_size=40))
def test_nonsense_in_numbers_never_breaks_it(text: str) -> None:
    assert isinstance(talk(text), str)


@pytest.mark.slow
@given(st.lists(st.text(max_size=60), min_size=1, max_size=4), st.integers())
def test_it_answers_anything_and_always_the_same(said: list[str], seed: int) -> None:
    answer = talk(*said, seed=seed)
    assert answer == talk(*said, seed=seed)
    assert answer or any("\n" in text or ":" in text for text in said)


async def test_enormous_prompts_do_not_stall() -> None:
    model = manager(offline())
    for prompt in (
        "a" * 1_000_000,
        "(" * 100_000,
        "I like " * 50_000,
        "1+" * 200_000,
        "Extract the emails: " + "a@" * 50_000,
    ):
        async with asyncio.timeout(20):
            assert (await model.generate(prompt)).finish_reason == "stop"


@pytest.mark.usefixtures("unmeasured")
def test_importing_the_package_loads_nothing(repository: Path) -> None:
    code = "import sys; before = set(sys.modules); import sentient_cli.llm; print(sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=repository)
    assert "msgspec" not in done.stdout
    assert "asyncio" not in done.stdout
