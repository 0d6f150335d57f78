"""The markers of a test: which are ours, what they were given, and what is refused."""

from types import SimpleNamespace

import pytest

from pytest_noblock.acceptance.allowances import Allowance
from pytest_noblock.plugin import markers
from pytest_noblock.plugin.markers import Marked, allowances, background_names, marked, register, watches


def ours(*marks):
    """The markers of `test_it`, the closest first."""
    return Marked(tuple(mark.mark for mark in marks))


def an_item(*levels):
    """An item whose module, class and so on have these markers; the test's own are the last."""
    node = None
    for marks in levels:
        node = SimpleNamespace(nodeid="test_it", own_markers=[each.mark for each in marks], parent=node)
    closest = [each.mark for marks in reversed(levels) for each in marks]
    node.iter_markers = lambda: iter(closest)
    return node


MARK = pytest.mark


def test_only_ours_are_read_and_the_closest_comes_first():
    item = an_item([MARK.noblock(max_block="1 ms"), MARK.slow], [], [MARK.noblock_allow("why"), MARK.noblock()])
    found = marked(item)
    assert [(mark.name, mark.kwargs) for mark in found.marks] == [
        ("noblock_allow", {}),
        ("noblock", {}),
        ("noblock", {"max_block": "1 ms"}),
    ]


@pytest.mark.parametrize(
    ("mark", "watched"),
    [(MARK.noblock, True), (MARK.noblock_background, True), (MARK.noblock_allow("why"), False), (MARK.slow, False)],
)
def test_a_marker_asks_for_a_watch_wherever_it_stands(mark, watched):
    assert watches(an_item([mark], [])) is watched
    assert watches(an_item([], [mark])) is watched


def test_an_argument_is_known_by_name_and_none_says_nothing():
    given = ours(MARK.noblock(max_block="1 ms", probe=None)).named("noblock")
    assert given == [{"max_block": "1 ms"}]


@pytest.mark.parametrize(
    ("mark", "allowed"),
    [
        (MARK.noblock_allow("why"), Allowance("why")),
        (MARK.noblock_allow("why", call="sqlite3"), Allowance("why", "sqlite3")),
        (MARK.noblock_allow("why", kinds=["cpu", "gil"]), Allowance("why", None, ("cpu", "gil"))),
    ],
)
def test_what_is_accepted(mark, allowed):
    assert allowances(ours(mark)) == [allowed]


@pytest.mark.parametrize(
    ("mark", "sentence"),
    [
        (MARK.noblock_allow(""), "noblock_allow needs a reason in words, not ''"),
        (MARK.noblock_allow(7), "noblock_allow needs a reason in words, not 7"),
        (MARK.noblock_allow(), "@pytest.mark.noblock_allow: missing a required argument: 'reason'"),
        (MARK.noblock_allow("why", call=7), "noblock_allow: call=7 is not a name"),
        (MARK.noblock_allow("why", kinds=["slow"]), "noblock_allow: kinds=['slow'] is not a list of sync-network"),
        (MARK.noblock_allow("why", kinds="cpu"), "noblock_allow: kinds='cpu' is not a list of"),
        (MARK.noblock_allow(None), "noblock_allow needs a reason in words, not None"),
        (MARK.noblock_allow("why", kinds=[]), "noblock_allow: kinds=[] is not a list of"),
        (MARK.noblock_allow("why", kinds=[["cpu"]]), "noblock_allow: kinds=[['cpu']] is not a list of"),
        (MARK.noblock_allow("why", kinds={"cpu": []}), "noblock_allow: kinds={'cpu': []} is not a list of"),
        (MARK.noblock_allow("why", call=" "), "noblock_allow: call=' ' is not a name such as"),
        (MARK.noblock_allow("why", kind="cpu"), "it takes reason, call, kinds"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_sentence(mark, sentence):
    with pytest.raises(pytest.UsageError) as error:
        allowances(ours(mark))
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


def a_task():
    """Stands for a background task."""


@pytest.mark.parametrize(
    ("mark", "names"),
    [
        (MARK.noblock_background, []),
        (MARK.noblock_background("a", "b"), ["a", "b"]),
        (MARK.noblock_background.with_args(a_task), [f"{a_task.__module__}.a_task"]),
        (MARK.noblock, None),
    ],
)
def test_the_tasks_that_must_run(mark, names):
    assert background_names(ours(mark)) == names


def test_the_closest_marker_names_the_tasks():
    assert background_names(ours(MARK.noblock_background("mine"), MARK.noblock_background("theirs"))) == ["mine"]


@pytest.mark.parametrize("given", [7, "", " ", None])
def test_a_task_that_is_neither_a_name_nor_a_function_is_refused(given):
    with pytest.raises(pytest.UsageError, match=r"noblock_background: .* is neither the name of a task"):
        background_names(ours(MARK.noblock_background(given)))


NAMES = (
    'write the names one after the other, @pytest.mark.noblock_background("write_log", "send_email"), '
    "or none for all tasks"
)


@pytest.mark.parametrize(
    ("mark", "wrong"),
    [
        (MARK.noblock_background(names=["a", "b"]), "names="),
        (MARK.noblock_background("a", name="b"), "name="),
        (MARK.noblock_background(["a", "b"]), "list"),
        (MARK.noblock_background(("a", "b")), "tuple"),
    ],
)
def test_names_that_are_not_given_one_after_the_other_are_refused_with_how_to(mark, wrong):
    with pytest.raises(pytest.UsageError) as error:
        background_names(ours(mark))
    assert str(error.value) == f"@pytest.mark.noblock_background takes no {wrong}; {NAMES}"
    assert background_names(ours(MARK.noblock_background("write_log", "send_email"))) == ["write_log", "send_email"]


def test_the_help_is_made_of_the_signatures():
    lines = []
    register(SimpleNamespace(addinivalue_line=lambda name, line: lines.append((name, line))))
    assert {name for name, _ in lines} == {"markers"}
    assert [line.partition(":")[0] for _, line in lines] == [
        "noblock(max_block=None, max_total=None, probe=None, app=None, action=None)",
        "noblock_allow(reason, call=None, kinds=None)",
        "noblock_background(*names)",
    ]


def test_a_tests_markers_are_read_once_for_each_run(pytester, monkeypatch):
    """Each test of a suite pays for it, whether anything is watched or not."""
    read = []
    monkeypatch.setattr(markers, "marked", lambda item: read.append(item.name) or marked(item))
    pytester.makepyfile("def test_one(): pass\ndef test_other(): pass")
    pytester.inline_run("--noblock", "--noblock-action=warn").assertoutcome(passed=2)
    assert read == ["test_one", "test_other"]
