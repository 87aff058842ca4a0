"""Filters around an answer: what is held back, what is shown, and what a finding does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentient_cli.errors import ConfigError, ContentFilterError, ServerError
from sentient_cli.llm import Chunk, DocumentPart, Message, Request, TextPart, ThinkingPart, ToolCallDelta
from sentient_cli.llm.safety import (
    Guarded,
    LocalFilter,
    ModerationConfig,
    ModerationFilter,
    PatternFilter,
    SafetyFilter,
    Verdict,
)
from sentient_cli.llm.safety.holding import Held
from sentient_cli.llm.safety.words import Words
from sentient_cli.redact import Redactor
from tests.llm.safety_kit import ASKED, END, Saying, call, read, shown, texts

KEY = "sk-abcdefghijklmnop1234"


async def test_what_is_harmless_passes_unchanged_and_at_once() -> None:
    pieces = [*texts("One ", "two ", "three"), END]
    guarded = Guarded(Saying(*pieces), [LocalFilter(words=("abracadabra",))])
    stream = guarded.stream(ASKED, call())
    assert await anext(stream) is pieces[0]
    assert [pieces[0], *[chunk async for chunk in stream]] == pieces


async def test_a_word_is_never_shown_however_it_is_cut() -> None:
    saying = Saying(*texts("Say ", "open", " se", "sa", "me", "! And more"), END)
    guarded = Guarded(saying, [LocalFilter(words=("Open Sesame",))], on_finding="end")
    chunks = await read(guarded)
    assert shown(chunks) == "Say "
    assert chunks[-1].finish_reason == "content_filter"
    assert chunks[-1].refusal == "The answer was stopped: It holds a word that is not allowed"
    assert saying.is_closed
    assert saying.given == 6


async def test_a_finding_is_an_error_where_findings_are_errors() -> None:
    guarded = Guarded(Saying(*texts("The key is ", KEY[:9], KEY[9:], " ok?"), END), [LocalFilter()])
    with pytest.raises(ContentFilterError) as caught:
        await read(guarded)
    assert caught.value.partial_text == "The key is "
    assert KEY not in f"{caught.value}"


async def test_what_only_seems_to_begin_something_is_shown_when_it_did_not() -> None:
    guarded = Guarded(
        Saying(*texts("open ", "sesa", "mes are ", "sk-", "ips"), END), [LocalFilter(words=("open sesame",))]
    )
    chunks = await read(guarded)
    assert shown(chunks) == "open sesames are sk-ips"
    assert chunks[-1] is END


async def test_a_word_at_the_very_end_is_found() -> None:
    guarded = Guarded(Saying(*texts("It is ", "sesame"), END), [LocalFilter(words=("sesame",))], on_finding="end")
    chunks = await read(guarded)
    assert shown(chunks) == "It is "
    assert chunks[-1].finish_reason == "content_filter"
    assert sum(chunk.finish_reason is not None for chunk in chunks) == 1


async def test_a_request_is_looked_at_before_anything_is_sent() -> None:
    saying = Saying(*texts("Hi"), END)
    request = Request(
        model="m",
        messages=(
            Message.system("Never say sesame"),
            Message.user("old sesame"),
            Message.assistant("No"),
            Message.user("x"),
        ),
    )
    assert shown(await read(Guarded(saying, [LocalFilter(words=("sesame",))]), request)) == "Hi"
    again = Request(model="m", messages=(*request.messages, Message.user("Sesame?")))
    saying = Saying(*texts("Hi"), END)
    with pytest.raises(ContentFilterError, match="request was stopped"):
        await read(Guarded(saying, [LocalFilter(words=("sesame",))]), again)
    assert saying.given == 0
    chunks = await read(Guarded(saying, [LocalFilter(words=("sesame",))], on_finding="end"), again)
    assert [chunk.finish_reason for chunk in chunks] == ["content_filter"]


async def test_thoughts_and_refusals_are_looked_at_as_texts_of_their_own() -> None:
    thought = Chunk(thinking=ThinkingPart("sesa"))
    mark = Chunk(thinking=ThinkingPart(signature="sig"))
    pieces = [thought, mark, Chunk("me"), END]
    assert await read(Guarded(Saying(*pieces), [LocalFilter(words=("sesame",))])) == pieces
    pieces = [thought, Chunk(thinking=ThinkingPart("me.")), END]
    with pytest.raises(ContentFilterError):
        await read(Guarded(Saying(*pieces), [LocalFilter(words=("sesame",))]))


async def test_calls_of_tools_wait_for_the_end_and_their_arguments_are_looked_at() -> None:
    begin = Chunk(tool_call=ToolCallDelta(0, "call_1", "say"))
    harmless = Chunk(tool_call=ToolCallDelta(0, arguments='{"word": "hello"}'))
    end = Chunk(finish_reason="tool_call")
    assert await read(Guarded(Saying(begin, harmless, end), [LocalFilter(words=("sesame",))])) == [begin, harmless, end]
    harmful = Chunk(tool_call=ToolCallDelta(0, arguments='{"word": "sesame"}'))
    chunks = await read(
        Guarded(Saying(Chunk("Well"), begin, harmful, end), [LocalFilter(words=("sesame",))], on_finding="end")
    )
    assert [chunk.tool_call for chunk in chunks] == [None, None]
    assert (shown(chunks), chunks[-1].finish_reason) == ("Well", "content_filter")


async def test_an_answer_that_begins_anew_is_looked_at_anew() -> None:
    begin = Chunk("me", restarted=True)
    pieces = [*texts("Well, sesa"), begin, *texts("n it"), END]
    chunks = await read(Guarded(Saying(*pieces), [LocalFilter(words=("sesame", "sesamen"))]))
    assert chunks == [begin, *texts("n it"), END]


async def test_an_answer_that_breaks_shows_no_more_than_what_was_shown() -> None:
    broken = ServerError("Broken", partial_text="Say open sesa")
    guarded = Guarded(Saying(*texts("Say ", "open sesa"), broken), [LocalFilter(words=("open sesame",))])
    with pytest.raises(ServerError) as caught:
        await read(guarded)
    assert caught.value.partial_text == "Say "


async def test_leaving_closes_what_answers() -> None:
    saying = Saying(*texts("One", "two"), END)
    stream = Guarded(saying, [LocalFilter()]).stream(ASKED, call())
    await anext(stream)
    await stream.aclose()
    assert saying.is_closed


async def test_patterns_hold_back_as_much_as_they_need() -> None:
    numbers = PatternFilter((r"\b\d{3}-\d{2}-\d{4}\b",), window=12)
    chunks = await read(
        Guarded(Saying(*texts("It is number ", "123", "-45", "-6789", ", they say"), END), [numbers], on_finding="end")
    )
    assert chunks[-1].finish_reason == "content_filter"
    assert "It is number ".startswith(shown(chunks))
    longer = Guarded(Saying(*texts("It is number ", "123", "-45", "-67890"), END), [numbers])
    assert shown(await read(longer)) == "It is number 123-45-67890"


@pytest.mark.parametrize(
    ("pattern", "pieces"),
    [
        ("^mat", ["The cat sat on the ", "mat and went on. "] * 20),
        ("(?m)^on the", ["The cat sat ", "on the mat. "] * 20),
        (r"^\w+ \w+ on", ["The cat sat ", "on the mat. "] * 20),
        (r"^\d+$", ["I have ", "12", " apples and "] * 40),
        (r"yes\W*$", ["yes. ", "we", " can"]),
        (r"^yes\W*$", ["yes.", " we", " can"]),
    ],
)
async def test_where_an_answer_is_looked_at_in_parts_no_part_is_the_whole(pattern: str, pieces: list[str]) -> None:
    guarded = Guarded(Saying(*texts(*pieces), END), [PatternFilter([pattern])])
    assert shown(await read(guarded)) == "".join(pieces)


@pytest.mark.parametrize(
    ("pattern", "pieces"),
    [(r"^\d+$", ["1", "2"]), (r"(?m)^on$", ["The cat sat\n", "on\n", "the mat"]), ("can$", ["we ", "c", "an"])],
)
async def test_the_beginning_and_the_end_of_an_answer_are_known(pattern: str, pieces: list[str]) -> None:
    chunks = await read(Guarded(Saying(*texts(*pieces), END), [PatternFilter([pattern])], on_finding="end"))
    assert chunks[-1].finish_reason == "content_filter"


async def test_a_text_that_goes_on_after_thoughts_is_one_text() -> None:
    said = [Chunk("The sword"), Chunk(thinking=ThinkingPart("Hm")), Chunk("fish "), Chunk("is"), END]
    chunks = await read(Guarded(Saying(*said), [LocalFilter(words=["swordfish"])], on_finding="end"))
    assert (shown(chunks), chunks[-1].finish_reason) == ("The sword", "content_filter")
    harmless = [Chunk("The sword"), Chunk(thinking=ThinkingPart("Hm")), Chunk(" is"), Chunk(refusal="fish"), END]
    assert shown(await read(Guarded(Saying(*harmless), [LocalFilter(words=["swordfish"])]))) == "The sword is"


@pytest.mark.parametrize("each", [LocalFilter(words=["swordfish"]), PatternFilter(["sword[a-z]+"])])
async def test_a_document_that_is_text_is_looked_at(each: SafetyFilter) -> None:
    hidden = DocumentPart(data=b"The word is swordfish.", name="notes.txt")
    asked = Request(model="m", messages=(Message.user((TextPart("Read this"), hidden)),))
    saying = Saying(*texts("Yes"), END)
    with pytest.raises(ContentFilterError):
        await read(Guarded(saying, [each]), asked)
    assert saying.given == 0
    drawn = Request(model="m", messages=(Message.user((DocumentPart(data=b"%PDF-\xff swordfish"),)),))
    assert shown(await read(Guarded(saying, [each]), drawn)) == "Yes"


@pytest.mark.parametrize(
    ("word", "text"),
    [("秘密", "这是秘密文件"), ("秘密", "abc秘密def"), ("ひみつ", "これはひみつです"), ("비밀", "비밀은 없다")],
)
async def test_words_without_spaces_between_them_are_found(word: str, text: str) -> None:
    for pieces in ([text], list(text)):
        guarded = Guarded(Saying(*texts(*pieces), END), [LocalFilter(words=[word])], on_finding="end")
        assert shown(await read(guarded)) == text.partition(word)[0]
    assert LocalFilter(words=["fish"]).look("swordfish", is_end=True).finding is None


@pytest.mark.parametrize(
    "make",
    [
        lambda: PatternFilter("abc"),
        lambda: PatternFilter([5]),  # type: ignore[list-item]
        lambda: PatternFilter(["a"], window=0),
        lambda: PatternFilter(["a"], window="5"),  # type: ignore[arg-type]
        lambda: LocalFilter(words="swordfish"),
        lambda: LocalFilter(words=[5]),  # type: ignore[list-item]
        lambda: Guarded(Saying(), [], on_finding="stop"),  # type: ignore[arg-type]
        lambda: ModerationFilter(ModerationConfig(), step=0),
        lambda: ModerationFilter(ModerationConfig(), when_down="ignore"),  # type: ignore[arg-type]
        lambda: ModerationFilter(ModerationConfig(), categories="violence"),
    ],
)
def test_a_slip_in_a_filter_says_what_is_right(make: Callable[[], object]) -> None:
    with pytest.raises(ConfigError) as caught:
        make()
    assert caught.value.fix


def test_a_text_without_spaces_is_not_read_anew_for_each_piece_of_it() -> None:
    held = Held(32)
    for _ in range(1000):
        held.add(Chunk("abcd"), "abcd")
        assert held.release(len(held.text))
        assert len(held.end(32)) < 1000
        assert len(held.text) < 2000


def test_no_pattern_can_be_made_to_hang() -> None:
    evil = PatternFilter((r"(a|aa)+$", r"(a+)+b"))
    assert evil.look("a" * 50_000 + "c", is_end=True).finding is None


@pytest.mark.parametrize(
    "make",
    [
        lambda: PatternFilter(("(",)),
        lambda: PatternFilter((r"(?<=a)b",)),
        lambda: PatternFilter(()),
        lambda: LocalFilter(words=(" ",)),
        lambda: LocalFilter(words=("x" * 500,)),
    ],
)
def test_a_filter_that_cannot_be_says_so(make: Callable[[], SafetyFilter]) -> None:
    with pytest.raises(ConfigError, match="cannot look for"):
        make()


_PIECES = st.lists(st.text(alphabet="ab c-", max_size=4), max_size=12)


@given(_PIECES, st.sets(st.sampled_from(["a", "ab", "a b", "abc", "b-c", "c c c"]), max_size=3), st.booleans())
def test_what_is_shown_never_holds_a_word_and_all_is_shown_of_what_has_none(
    pieces: list[str], words: set[str], one_by_one: bool
) -> None:
    whole = "".join(pieces)
    pieces = list(whole) if one_by_one else pieces
    local = LocalFilter(words=words, secrets=False)
    guarded = Guarded(Saying(*texts(*pieces), END), [local], on_finding="end")
    chunks = asyncio.run(read(guarded))
    first = Words(words).find(whole, is_end=True)
    assert whole.startswith(shown(chunks))
    if first is None:
        assert shown(chunks) == whole
        assert chunks[-1] is END
    else:
        assert len(shown(chunks)) <= first
        assert chunks[-1].finish_reason == "content_filter"


@pytest.mark.slow
@given(
    st.text(alphabet="ab c-", max_size=30),
    st.sets(st.sampled_from(["a", "ab", "a b", "b-c"]), min_size=1),
    st.integers(0, 30),
)
def test_what_may_have_begun_is_known_before_it_is_there(text: str, words: set[str], cut: int) -> None:
    found = Words(words)
    first = found.find(text, is_end=True)
    before = text[:cut]
    if first is not None and found.find(before, is_end=False) is None:
        assert found.begun(before) <= first or first >= len(before)


async def test_of_several_filters_the_slowest_decides_what_is_shown() -> None:
    class Waiting:
        name, window, step = "waiting", 0, 8

        async def check_request(self, request: Request) -> None:
            return None

        async def check_text(self, text: str, *, is_end: bool) -> Verdict:
            return Verdict(len(text))

    waiting: SafetyFilter = Waiting()
    stream = Guarded(Saying(*texts("One ", "two ", "three ", "four"), END), [waiting, LocalFilter()]).stream(
        ASKED, call()
    )
    assert [(await anext(stream)).text for _ in range(2)] == ["One ", "two "]
    assert [chunk.text async for chunk in stream] == ["three ", "four", ""]


KNOWN = Redactor()
KNOWN.register("correct horse battery")
_SECRETS = (KEY, "correct horse battery", "password = hunter2hunter2", "Authorization: Bearer abcdef0123456789abcdef")


@pytest.mark.slow
@given(
    st.sampled_from(_SECRETS),
    st.text(alphabet="ab \n", max_size=80),
    st.sampled_from(["", " ", ".", " and so on, for quite a while"]),
    st.lists(st.integers(1, 30), min_size=1, max_size=5),
)
def test_no_part_of_a_secret_is_shown_however_it_is_cut(secret: str, before: str, after: str, sizes: list[int]) -> None:
    whole, pieces = f"{before} {secret}{after}", list[str]()
    while whole:
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(whole[:size])
        whole = whole[size:]
    guarded = Guarded(Saying(*texts(*pieces), END), [LocalFilter(known=KNOWN)], on_finding="end")
    chunks = asyncio.run(read(guarded))
    told = shown(chunks)
    assert chunks[-1].finish_reason == "content_filter"
    rest = told[len(before) + 1 :]
    assert secret.startswith(rest)
    # What it is called may be shown, and two characters, since by those nobody would know it.
    assert len(rest) <= 2 or any(name.startswith(rest) for name in ("password = ", "Authorization: Bearer "))


@pytest.mark.slow
@given(st.lists(st.text(alphabet="sk-eyJ.passwortbearer= 12\n", max_size=12), max_size=20))
def test_what_has_no_secret_is_shown_whole_and_what_has_one_is_not(pieces: list[str]) -> None:
    whole = "".join(pieces)
    guarded = Guarded(Saying(*texts(*pieces), END), [LocalFilter(known=KNOWN)], on_finding="end")
    chunks = asyncio.run(read(guarded))
    first = next(iter(KNOWN.hidden(whole)), None)
    if first is None:
        assert shown(chunks) == whole
        assert chunks[-1] is END
    else:
        assert chunks[-1].finish_reason == "content_filter"
        assert len(shown(chunks)) <= first.cover
