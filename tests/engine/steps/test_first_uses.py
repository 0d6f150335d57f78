"""What a process does once is told from what a request does: by the function that ran, and whether it ran before."""

import json
import re
import sys
import time
import types

import pytest

from pytest_noblock.engine import guard, instrument
from pytest_noblock.engine.exchange import LiveExchange
from pytest_noblock.engine.meters import metering
from pytest_noblock.engine.steps import first_uses
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.model.segment import FIRST_TIME

MS = 1_000_000


@pytest.fixture
def step(tmp_path):
    """Runs the function as one step of a request; returns its segment."""

    def step(function):
        with metering("portable", UserCode(str(tmp_path)), sample_after=50 * MS) as metered:
            metered.steps.begin(LiveExchange("GET", "/"))
            try:
                function()
                time.sleep(0.001)  # so that the step is long enough to be kept
            finally:
                metered.steps.end()
        (segment,) = metered.segments
        return segment

    first_uses.forget()
    yield step
    first_uses.forget()


def patterns(*texts):
    def compile_them():
        for text in texts:
            re.purge()
            re.compile(text)

    return compile_them


def words(segment):
    return [what for what, _cpu in segment.first_uses]


def test_a_pattern_is_compiled_for_the_first_time_once(step):
    long = "|".join(f"(?:a{n}b*)" for n in range(100))
    first = step(patterns(long, "ab"))
    assert [what[:20] for what in words(first)] == [f"the pattern {long}"[:20], "the pattern ab"]
    assert words(first)[0].endswith("...")
    assert 0 < first.first_use <= first.cpu
    assert first.first_use == sum(cpu for _what, cpu in first.first_uses)
    again = step(patterns(long))
    assert (again.first_use, again.first_uses) == (0, ())
    first_uses.forget()
    assert words(step(patterns(long))) == words(first)[:1]


def test_a_template_is_loaded_once_by_each_environment(step):
    jinja2 = pytest.importorskip("jinja2")
    pages = {"page.html": "{% include 'part.html' %}", "part.html": "{{ x }}"}
    one, other = (jinja2.Environment(loader=jinja2.DictLoader(pages), cache_size=0) for _ in range(2))
    assert words(step(lambda: one.get_template("page.html").render())) == [
        "the template page.html",
        "the template part.html",
    ]
    assert words(step(lambda: one.get_template("page.html").render())) == []  # compiled in every request
    assert words(step(lambda: other.get_template("page.html"))) == ["the template page.html"]
    assert words(step(lambda: one.from_string("{{ y }}"))) == []


def test_a_model_is_built_once(step):
    pydantic = pytest.importorskip("pydantic")
    assert words(step(lambda: pydantic.create_model("Item", name=(str, ...)))) == ["the schema of Item"]
    assert words(step(lambda: pydantic.TypeAdapter(list[int]))) == ["the schema of list[int]"]
    assert words(step(lambda: pydantic.TypeAdapter(list[int]))) == []


def test_what_is_done_in_it_counts_once(step):
    """A pattern that is compiled while a template is loaded is a part of the loading."""
    jinja2 = pytest.importorskip("jinja2")

    def load(_name):
        patterns("a*b*c*")()
        return "{{ x }}"

    environment = jinja2.Environment(loader=jinja2.FunctionLoader(load))
    assert words(step(lambda: environment.get_template("page.html"))) == ["the template page.html"]


def test_without_a_request_nothing_is_noted():
    first_uses.forget()
    instrument.install()
    try:
        patterns("abc")()
    finally:
        instrument.uninstall()
    assert first_uses._done == set()


def test_what_an_object_kept_is_forgotten_with_it(step):
    class Keeper:
        """Has no hash, as Starlette's routers."""

        __hash__ = None

    keeper = Keeper()
    row = first_uses._Row("x", "", "y", "the {}", lambda *_: "thing", first_uses._first)
    before = len(first_uses._done_by)
    assert first_uses._is_first(row, (keeper,), {})
    assert not first_uses._is_first(row, (keeper,), {})
    assert len(first_uses._done_by) == before + 1
    del keeper
    assert len(first_uses._done_by) == before


def test_an_argument_that_raises_raises_nothing_into_the_app():
    def refuses(*_):
        raise ValueError

    row = first_uses._Row("x", "", "y", "the {}", refuses)
    assert not first_uses._is_first(row, (), {})


def test_each_function_is_where_it_was_seen():
    """Else a version has lost one, and its work is charged."""
    for row in first_uses._ROWS:
        owner = sys.modules.get(row.module)
        if isinstance(owner, types.ModuleType):
            assert hasattr(getattr(owner, row.owner) if row.owner else owner, row.name), row


def test_the_judge_knows_the_function_on_the_stack():
    row = first_uses._Row("json", "", "dumps", "{}")
    wrapper = first_uses._wrapper(row, json.dumps)
    names = {cell.cell_contents.__name__ for cell in wrapper.__closure__ if callable(cell.cell_contents)}
    assert FIRST_TIME in names


def test_what_is_done_for_the_first_time_is_noted_where_it_raises_too(step):
    def compile_nonsense():
        with pytest.raises(re.error):
            re.compile("a(b")

    segment = step(compile_nonsense)
    assert words(segment) == ["the pattern a(b"]
    assert segment.first_use <= segment.cpu


def test_words_that_fail_do_not_hide_the_next_first_use(step, monkeypatch):
    real, failed = first_uses._words, []

    def fails_once(*given):
        if not failed:
            failed.append(given)
            raise ValueError
        return real(*given)

    monkeypatch.setattr(first_uses, "_words", fails_once)
    assert words(step(patterns("ab*", "ac*"))) == ["the pattern ac*"]
    assert len(guard.taken()) == 1
