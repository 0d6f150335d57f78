"""Whatever a user gives to the fixture, to a marker or to an option: it is taken, or refused in one sentence."""

import asyncio
import contextlib

import pytest

pytest.importorskip("hypothesis")
from hypothesis import example, given
from hypothesis import strategies as st

import pytest_noblock
from pytest_noblock.checks.app_import import NotAnApp, resolved
from pytest_noblock.checks.plan import Plan
from pytest_noblock.checks.running_apps import RunningApps
from pytest_noblock.client import _HTTPX, _OURS, Noblock
from pytest_noblock.model.check import Check
from pytest_noblock.model.limits import Limits
from pytest_noblock.plugin import markers, options
from pytest_noblock.plugin.settings import Settings
from pytest_noblock.report.failure import failure
from tests.fuzzing import ANYTHING, ODD_TEXTS, Rude, examples

pytestmark = pytest.mark.one_python

OURS = pytest_noblock.__path__[0]


async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"{}"})


class Test:
    """The test of straw; it takes every check."""

    id = "test_it"
    plan = Plan(Limits())

    def record(self, check):
        return check


@pytest.fixture(scope="module")
def noblock():
    apps = RunningApps("/", "portable")
    yield lambda: Noblock(apps.checker(app), Test())
    apps.stop()


def assert_one_sentence(text, begins=""):
    assert text.startswith(begins)
    assert text.isprintable(), text
    assert 0 < len(text) < 1_000, text


def assert_no_frame_of_ours(error):
    """pytest shows no frame that hides itself."""
    assert error.__context__ is None
    trace = error.__traceback__.tb_next
    while trace is not None:
        frame = trace.tb_frame
        assert not frame.f_code.co_filename.startswith(OURS) or frame.f_locals.get("__tracebackhide__"), frame
        trace = trace.tb_next


METHODS = st.sampled_from(["GET", "get", "POST", "HEAD", "get x", "GÉT", "\x00"]) | ANYTHING
URLS = st.sampled_from(["/", "http://[", "ftp://x/", "http://u:p@h:bad/", "?a=b", "http://testserver/x"]) | ANYTHING
KEYWORDS = st.dictionaries(st.sampled_from(sorted(_HTTPX | _OURS)) | st.sampled_from(ODD_TEXTS), ANYTHING, max_size=3)


@examples(150)
@example("GET", "/", {"timeout": float("inf")})
@example("GET", "/", {"max_block": "9" * 400 + " s"})
@example("GET", "/", {"headers": 5})
@example("GET", "/", {"auth": Rude})
@example("POST", "/", {"content": iter([b"a"])})
@example("POST", "/", {"files": {"a": 5}})
@given(method=METHODS, url=URLS, keywords=KEYWORDS)
def test_a_request_is_checked_or_refused_in_one_sentence(noblock, method, url, keywords):
    keywords = {**keywords, "warmup": keywords.get("warmup", False)}
    if keywords.get("timeout") is None:
        keywords["timeout"] = 5
    try:
        check = noblock().check(method, url, **keywords)
    except (ValueError, TypeError) as error:
        assert_one_sentence(str(error))
        assert_no_frame_of_ours(error)
        return
    assert isinstance(check, Check)
    if check.outcome == "inconclusive":
        assert_one_sentence(failure(check))
    else:
        assert check.outcome in ("passed", "failed")


MARKERS = st.sampled_from(["noblock", "noblock_allow", "noblock_background"])
NAMES = st.sampled_from("max_block probe app action reason call kinds names nope".split())


@examples(150)
@example("noblock_allow", [None], {})
@example("noblock_allow", ["why"], {"kinds": [["cpu"]]})
@example("noblock", [], {"max_block": "9" * 400 + " s"})
@given(name=MARKERS, arguments=st.lists(ANYTHING, max_size=2), keywords=st.dictionaries(NAMES, ANYTHING, max_size=2))
def test_a_marker_is_taken_or_refused_in_one_sentence(name, arguments, keywords):
    mark = getattr(pytest.mark, name).with_args(*arguments, **keywords).mark
    ours = markers.Marked((mark,))
    try:
        for each in ours.named("noblock"):
            assert isinstance(options._with(Settings(), each, "@pytest.mark.noblock"), Settings)
        for each in markers.allowances(ours):
            assert each.reason.strip()
            assert each.kinds is None or each.kinds
        assert all(each.strip() for each in markers.background_names(ours) or ())
    except pytest.UsageError as error:
        assert_one_sentence(str(error))


OPTIONS = st.sampled_from([option.name for option in options.OPTIONS if option.read])


@examples(100)
@given(name=OPTIONS, text=st.sampled_from(ODD_TEXTS) | st.text(max_size=8))
def test_an_option_is_taken_or_refused_in_one_sentence(name, text):
    with contextlib.suppress(pytest.UsageError):
        assert isinstance(options._with(Settings(), {name: text}, "the noblock options"), Settings)
        return
    with pytest.raises(pytest.UsageError) as error:
        options._with(Settings(), {name: text}, "the noblock options")
    assert_one_sentence(str(error.value))


async def coroutine():
    """As an async factory."""


@examples(100)
@given(given_app=ANYTHING | st.sampled_from([coroutine, asyncio, Test, Test(), lambda a: a, lambda: coroutine]))
def test_an_app_is_taken_or_refused_in_one_sentence(given_app):
    try:
        assert callable(resolved(given_app, "/", "what noblock_app returned"))
    except NotAnApp as error:
        assert_one_sentence(str(error), "what noblock_app returned ")
