"""How those are found that others hide: sent in fewer and fewer, by an account of who holds what, without a clock."""

from dataclasses import replace

import pytest

from pytest_noblock.engine.observe import Request
from pytest_noblock.model.check import Check
from pytest_noblock.model.observation import Observation
from pytest_noblock.sweep.hidden import Hidden, told, told_unexplained
from pytest_noblock.sweep.outcome import RouteResult
from pytest_noblock.sweep.route import Route

MS = 1_000_000


class Sends:
    """Plays the runs: who holds the loop hides the others, and nobody's thread makes all suspects that are sent."""

    def __init__(self, sleepers=(), nobodys=(), until=99):
        """`nobodys`: whose thread nobody knows; `until`: so many runs show it."""
        self.sleepers, self.nobodys, self.until = set(sleepers), set(nobodys), until
        self.runs = []

    def __call__(self, some):
        names = [each.route.path for each in some]
        self.runs.append(names)
        shown = len(self.runs) <= self.until and not self.nobodys.isdisjoint(names)
        for each in some:
            each.hidden = 90 * MS if shown else None
            each.suspect = each.suspect or each.route.path in self.sleepers


def looked(sends, names, known=()):
    results = [RouteResult(Route("GET", each), Request("GET", each, {}), ran=True) for each in (*names, *known)]
    for each in results:
        each.first = Observation("full", (), ())
        each.hidden, each.suspect = 90 * MS, each.route.path in known
    Hidden(sends).look(results)
    return {each.route.path: each for each in results}


def suspects_of(found):
    return {name for name, each in found.items() if each.suspect}


def in_doubt(found):
    return {name for name, each in found.items() if each.may_be_hidden}


@pytest.mark.parametrize("count", [1, 3, 8, 200])
def test_one_whose_thread_nobody_knows_is_found_in_few_runs(count):
    names = [str(number) for number in range(count)]
    sends = Sends(nobodys=[names[count // 3]])
    found = looked(sends, names, known=["known"])
    assert suspects_of(found) == {"known", names[count // 3]}
    assert found[names[count // 3]].alone
    assert in_doubt(found) == set()
    assert len(sends.runs) <= 20
    assert not any("known" in run for run in sends.runs)


def test_who_holds_the_loop_in_a_smaller_run_is_left_out_of_the_next():
    sends = Sends(sleepers=["b"], nobodys=["a"])
    found = looked(sends, ["a", "b", "c", "d"])
    assert suspects_of(found) == {"a", "b"}
    assert sends.runs[1] == ["a", "c", "d"]
    assert in_doubt(found) == set()


def test_what_those_did_that_are_known_is_no_doubt():
    found = looked(Sends(), ["a", "b"], known=["known"])
    assert (suspects_of(found), in_doubt(found)) == ({"known"}, set())


@pytest.mark.parametrize("until", [0, 1])
def test_what_does_not_come_again_and_is_nobodys_stays_in_doubt(until):
    found = looked(Sends(nobodys=["a"], until=until), ["a", "b"])
    assert (suspects_of(found), in_doubt(found)) == (set(), {"a", "b"})
    assert {each.hidden for each in found.values()} == {90 * MS}


def test_where_the_runs_are_used_up_the_rest_stays_in_doubt():
    names = [str(number) for number in range(64)]
    found = looked(Sends(nobodys=names), names)
    assert suspects_of(found) | in_doubt(found) == set(names)
    assert in_doubt(found)


def test_where_the_runs_are_used_up_what_is_only_a_suspicion_is_checked_alone():
    class Hides(Sends):
        """A run of several shows that each waited for another thread, and no more."""

        def __call__(self, some):
            super().__call__(some)
            for each in some:
                each.hidden = 0

    found = looked(Hides(), [str(number) for number in range(64)])
    assert all(each.suspect and each.alone for each in found.values())


@pytest.mark.parametrize(("late", "alone"), [(2, False), (99, True)])
def test_one_whose_wait_a_busy_machine_makes_shorter_is_sent_again_some_times(late, alone):
    runs = []

    def send(some):
        runs.append(len(some))
        for each in some:
            each.hidden = 0 if len(runs) <= late else None

    found = looked(send, ["a"])
    assert (found["a"].suspect, found["a"].alone) == (alone, alone)
    assert len(runs) == (6 if alone else late + 1)


def late(sends, names, known=(), sentence="late"):
    """As `looked`, of those that were under way while the loop came late without a cause."""
    results = [RouteResult(Route("GET", each), Request("GET", each, {}), ran=True) for each in (*names, *known)]
    for each in results:
        each.first = Observation("full", (), ())
        each.hidden, each.unexplained, each.suspect = 0, sentence, each.route.path in known
    Hidden(sends).look(results)
    return {each.route.path: each for each in results}


class Late:
    """Plays the runs: the loop comes late where these are sent, in the first so many runs."""

    def __init__(self, *who, until=99):
        self.who, self.until, self.runs = set(who), until, []

    def __call__(self, some):
        names = {each.route.path for each in some}
        self.runs.append(names)
        comes = len(self.runs) <= self.until and not self.who.isdisjoint(names)
        for each in some:
            each.hidden, each.unexplained = (0, "late") if comes else (None, None)


def test_who_makes_the_loop_late_is_found_by_halves_and_checked_alone_at_once():
    sends = Late("b")
    found = late(sends, ["a", "b", "c", "d"])
    assert suspects_of(found) == {"b"}
    assert found["b"].alone
    assert {name for name, each in found.items() if each.unexplained} == {"b"}
    assert sends.runs.count({"b"}) == 1


@pytest.mark.parametrize(("until", "known", "stays"), [(0, [], True), (0, ["known"], False), (1, [], True)])
def test_what_makes_the_loop_late_once_stays_open_unless_a_suspect_was_under_way_too(until, known, stays):
    found = late(Late("a", until=until), ["a", "b"], known)
    assert {name for name, each in found.items() if each.unexplained and not each.suspect} == (
        {"a", "b"} if stays else set()
    )
    assert suspects_of(found) == set(known)


def test_that_is_told_unless_the_check_tells_more():
    check = Check("id", "GET /a", "/a", None, "passed", 9 * MS, 50 * MS, "full", status=200)
    (note,) = told_unexplained(check, "a probe waited").notes
    assert note == (
        "unsettled: in the run of many requests a probe waited; another run did not show it again; not counted"
    )
    unmeasured = replace(check, outcome="inconclusive", reason="a probe waited")
    assert told_unexplained(unmeasured, "a probe waited") == unmeasured


def test_a_doubt_is_told_and_counts_for_what_a_worker_serves():
    check = Check("id", "GET /a", "/a", None, "passed", 9 * MS, 50 * MS, "full", status=200)
    (note,) = told(check, 90 * MS).notes
    assert note.startswith("unsettled: ")
    assert "90 ms" in note
    assert told(check, 90 * MS).scarce_ns == 90 * MS
    assert told(check, 0) == check
