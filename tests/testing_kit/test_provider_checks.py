"""The checks of a provider: ours keeps every promise, and each promise that is broken is found."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sentient_cli import LLMProvider, UsageError
from sentient_cli.llm import OfflineProvider
from sentient_cli.llm.offline import parse_script
from sentient_cli.testing import ProviderCheck, provider_checks
from sentient_cli.testing.conformance.subject import Promise
from tests.testing_kit import broken_providers as broken

_FAILS = parse_script("[[rule]]\nfail = {kind = 'rate_limit', after = 1}\nanswer = 'One two three'")
OURS = provider_checks(broken.Slow, failing=lambda: OfflineProvider(_FAILS), repeatable=True)

BROKEN: list[tuple[str, type[OfflineProvider], str]] = [
    ("names_itself", broken.BadId, "the id is 'not an id'"),
    ("knows_its_capabilities", broken.ChangingCapabilities, "something else"),
    ("lists_its_models", broken.DoubleModels, "listed twice"),
    ("counts_tokens", broken.CountsNothing, "0 tokens"),
    ("gets_ready_more_than_once", broken.ReadyOnce, "a client already"),
    ("closes_more_than_once", broken.ClosesOnce, "no client any more"),
    ("changes_its_settings", broken.ChangesHalf, "has changed the settings"),
    ("changes_its_settings", broken.TakesEverything, "it takes"),
    ("streams_an_answer", broken.EndsTwice, "2 chunks have a finish_reason"),
    ("streams_an_answer", broken.GoesOnAfterItsEnd, "goes on after its end"),
    ("streams_an_answer", broken.SaysNothing, "the answer is empty"),
    ("streams_an_answer", broken.NeverEnds, "takes more than 0.5 s"),
    ("reports_usage", broken.NoUsage, "no chunk has the usage"),
    ("generates_the_same_way", broken.GeneratesForAnother, "was asked"),
    ("generates_the_same_way", broken.GeneratesAnother, "generate says 'something else'"),
    ("answers_at_once", broken.OneAtATime, "One call at a time"),
    ("counts_its_calls", broken.CountsLate, "0 calls are active while one goes on"),
    ("frees_a_closed_call", broken.KeepsClosedCalls, "1 calls are still active"),
    ("ends_when_cancelled", broken.SwallowsCancellation, "swallows the cancellation"),
    ("ends_when_cancelled", broken.CountsCancellation, "counted as an error"),
    ("leaves_nothing_behind", broken.LeavesATask, "tasks are left: a heartbeat"),
]
BROKEN_FAILURES: list[tuple[type[OfflineProvider], str]] = [
    (OfflineProvider, "it does not fail"),
    (broken.FailingWithForeignErrors, "KeyError is none of our errors"),
    (broken.FailingForAnother, "the error is of 'another'"),
]


@pytest.mark.slow
@pytest.mark.parametrize("check", OURS, ids=str)
def test_the_offline_model_keeps_its_promises(check: ProviderCheck) -> None:
    check()


def _named(name: str, make: type[LLMProvider], *, patience: float = 30.0) -> ProviderCheck:
    checks = provider_checks(make, repeatable=True, patience=patience)
    return next(check for check in checks if check.name == name)


@pytest.mark.parametrize(("name", "make", "said"), BROKEN, ids=lambda value: getattr(value, "__name__", value))
def test_a_broken_promise_is_found(name: str, make: type[OfflineProvider], said: str) -> None:
    check = _named(name, make, patience=0.5 if make is broken.NeverEnds else 30.0)
    with pytest.raises(Exception, match=said) as caught:
        check()
    assert not isinstance(caught.value, AssertionError) or str(caught.value).endswith(check.promise)


@pytest.mark.parametrize(("make", "said"), BROKEN_FAILURES, ids=lambda value: getattr(value, "__name__", value))
def test_a_failure_of_the_wrong_kind_is_found(make: type[OfflineProvider], said: str) -> None:
    *_, check = provider_checks(broken.Slow, failing=make)
    with pytest.raises(AssertionError, match=said):
        check()


@pytest.mark.parametrize(
    ("make", "place"), [(broken.ShowsItsKey, "what it looks like"), (broken.TellsItsKey, "an error")]
)
def test_a_key_that_is_shown_is_found(make: type[OfflineProvider], place: str) -> None:
    *_, check = provider_checks(broken.Slow, failing=make, secret=broken.ShowsItsKey.KEY)
    assert check.name == "shows_no_secret"
    with pytest.raises(AssertionError, match=f"the key is in {place}") as caught:
        check()
    assert broken.ShowsItsKey.KEY not in str(caught.value)


@pytest.mark.parametrize("make", [broken.Failing, broken.WithoutKey])
def test_a_failure_of_the_right_kind_is_none(make: type[OfflineProvider]) -> None:
    *_, check = provider_checks(broken.Slow, failing=make)
    check()


def test_each_promise_has_a_provider_that_breaks_it() -> None:
    assert {check.name for check in OURS} == {*(name for name, _, _ in BROKEN), "fails_with_our_errors"}


def test_what_a_provider_does_not_know_can_be_left_out() -> None:
    checks = provider_checks(broken.NoUsage, reports_usage=False)
    for check in checks:
        check()
    assert "fails_with_our_errors" not in {check.name for check in checks}


async def test_on_a_running_loop_a_check_is_awaited() -> None:
    check = OURS[0]
    with pytest.raises(UsageError):
        check()
    await check.run()


async def _times_out(_subject: object) -> None:
    """It does not take its own time for ours."""
    raise TimeoutError("of its own")


async def test_a_timeout_of_the_provider_is_not_ours() -> None:
    promise: Promise = _times_out
    with pytest.raises(TimeoutError, match="of its own"):
        await ProviderCheck(promise, OURS[0]._subject).run()


_MODULE = """\
import pytest

from sentient_cli.llm import OfflineProvider
from sentient_cli.testing import provider_checks


class Mine(OfflineProvider):
    @property
    def provider_id(self):
        return "my own"


@pytest.mark.parametrize("check", provider_checks(Mine), ids=str)
def test_my_provider(check):
    check()
"""


@pytest.mark.slow
def test_a_third_party_runs_the_checks_under_pytest(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(_MODULE)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "test_mine.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "test_my_provider[names_itself]" in done.stdout
    assert "the id is 'my own'. It has one id, of letters, digits, `-` and `_`" in done.stdout
    assert "2 failed, 13 passed" in done.stdout
