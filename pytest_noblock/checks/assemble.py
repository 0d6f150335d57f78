"""The one builder of checks: makes a `Check` of an exchange and of what the judges say of the exchange (pure).

The fixture and a watched test give different verdicts, on purpose. The fixture's test asks whether an endpoint blocks:
a refused route, or an endpoint that was not entered, is a `reason`. A watched test may request what it likes: only a
request without a metered step has a `reason`. The fixture notes what the warm-up showed. A watched test has no warm-up:
it notes what was imported for the first time.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, TypedDict, Unpack

from pytest_noblock.model.check import Check, ProbeWaits, TaskRun, outcome_of, with_findings
from pytest_noblock.model.finding import Almost, Finding
from pytest_noblock.model.identity import route_name
from pytest_noblock.model.kinds import KINDS
from pytest_noblock.model.limits import Limits
from pytest_noblock.model.measured import status_of
from pytest_noblock.model.observation import LIFESPAN, Exchange, Meter, Probe
from pytest_noblock.model.pace import Pace
from pytest_noblock.model.segment import Segment

if TYPE_CHECKING:
    import httpx

    from pytest_noblock.judge.background import Fault
    from pytest_noblock.model.stall import Stall


class Subject(NamedTuple):
    """What is known of a check before its request is sent."""

    id: str
    """The test's id."""
    request: str
    """Method and path, without the query: `GET /users/7`."""
    limit: int
    """`max_block` in ns."""
    meter: Meter


class FromObservation(TypedDict, total=False):
    """Fields of a Check that come from the observation; a watched test has no probes, and keeps its own response."""

    loop: str
    probes: tuple[ProbeWaits, ...]
    probe_runs: tuple[Probe, ...]
    capacity: str | None
    scarce_ns: int
    exchanges: tuple[Exchange, ...]
    """All copies and redirects of the request; by default the one exchange."""
    response: "httpx.Response | None"
    loop_ns: int
    steps: tuple[tuple[int, int], ...]
    max_total: int
    almost: tuple[Almost, ...]


class Verdict(NamedTuple):
    """What the judges say of one exchange."""

    findings: Sequence[Finding]
    notes: tuple[str, ...]
    """What is worth knowing and fails nothing."""
    reason: str | None
    """What kept the request from being measured; None for nothing. Where there are findings, it is ignored."""


def measured(
    subject: Subject,
    exchange: Exchange,
    verdict: Verdict,
    relative: Callable[[str], str],
    **more: Unpack[FromObservation],
) -> Check:
    """The check of a request that was sent and came back. `relative` turns a file into the name that reports show."""
    reason = None if verdict.findings else verdict.reason
    findings = _one_for_each_line(verdict.findings)
    check = Check(
        id=subject.id,
        request=subject.request,
        route=exchange.route,
        endpoint=exchange.endpoint,
        outcome=outcome_of(verdict.findings, reason),
        duration=_duration(exchange),
        limit=subject.limit,
        meter=subject.meter,
        findings=findings,
        notes=verdict.notes,
        background=task_runs(exchange, relative),
        reason=reason,
        status=_status(exchange),
        exchange=exchange,
        exchanges=(exchange,),
    )
    return _with_routes(replace(check, **more))


def _status(exchange: Exchange) -> int | None:
    return status_of(exchange.status, exchange.method, raised=exchange.error is not None)


def with_total(
    check: Check,
    segments: Iterable[Segment],
    found: "Sequence[Stall]",
    limits: Limits,
    pace: Callable[[], Pace],
    relative: Callable[[str], str],
) -> Check:
    """The check with what is to be said of all that the request held the loop for. `found`: the stalls of the run."""
    exchange = check.exchange
    if not limits.max_total or 2 * check.loop_ns < limits.max_total or exchange is None or exchange.method == LIFESPAN:
        return check
    from pytest_noblock.judge import loop_total  # most runs have no such limit

    mine = [each for each in found if each.exchange is exchange]
    request = loop_total.Request(exchange, segments, mine, check.findings)
    total = loop_total.judged(request, limits, pace, relative)
    if total.finding is not None:
        return _with_routes(with_findings(check, (*check.findings, total.finding)))
    almost = (*check.almost, total.almost) if total.almost is not None else check.almost
    return replace(check, almost=almost, notes=(*check.notes, total.note) if total.note else check.notes)


def uneventful(subject: Subject, exchange: Exchange, loop: str, loop_ns: int) -> Check:
    """As `measured`, of an exchange of which no judge has anything to say: it has no background task, and steps."""
    return Check(
        id=subject.id,
        request=subject.request,
        route=exchange.route,
        endpoint=exchange.endpoint,
        outcome=outcome_of((), None),
        duration=_duration(exchange),
        limit=subject.limit,
        meter=subject.meter,
        exchange=exchange,
        exchanges=(exchange,),
        loop_ns=loop_ns,
        loop=loop,
        status=_status(exchange),
    )


def _duration(exchange: Exchange) -> int:
    return (exchange.completed or exchange.returned or exchange.sent) - exchange.sent


def _one_for_each_line(found: Sequence[Finding]) -> tuple[Finding, ...]:
    if len(found) < 2:
        return tuple(found)
    from pytest_noblock.judge import grouping

    return tuple(grouping.one_for_each_line(found))


def held(exchange: Exchange, segments: Iterable[Segment], found: Iterable[Finding] = ()) -> int:
    """Ns for which the exchange held the loop in all. `found`: its findings, which another run may have measured."""
    own = [each for each in segments if each.exchange == exchange.number]
    if not own:
        return exchange.brief
    from pytest_noblock.judge.sleeps import surely_slept  # most watched requests have short steps alone

    alone = (each.blocked_ns for each in found if KINDS[each.kind].on_loop and each.requests == 1)
    longest = max(alone, default=0)
    return max(longest, exchange.brief + sum(each.cpu + surely_slept(each) for each in own))


def told(found: "Sequence[Stall]", relative: Callable[[str], str]) -> Sequence[Finding]:
    """All stalls as findings, for notes and for `almost`, which say nothing of what to write instead."""
    if not found:
        return ()
    from pytest_noblock.judge import grouping

    return grouping.findings(found, relative, advised=False)


def almost(final: Sequence[Finding], told: Sequence[Finding], limits: Limits) -> tuple[Almost, ...]:
    """What is near enough to be a finding in the next run. `final`: the findings; `told`: all stalls, see there."""
    if not told:
        return ()
    from pytest_noblock.judge import not_findings

    return not_findings.almost(final, told, [], limits)


_MOST_STEPS = 100
"""A picture shows no more."""


def steps(exchange: Exchange, segments: Iterable[Segment]) -> tuple[tuple[int, int], ...]:
    """The longest stretches of the exchange on the loop thread, in order of time."""
    own = ((each.began, each.ended) for each in segments if each.exchange == exchange.number)
    return tuple(sorted(sorted(own, key=lambda step: step[0] - step[1])[:_MOST_STEPS]))


def not_exercised(subject: Subject, route: str | None, reason: str, notes: tuple[str, ...]) -> Check:
    """The check of a route that a sweep has not measured. `reason`: a word of the sweep's closed list."""
    return Check(
        id=subject.id,
        request=subject.request,
        route=route,
        endpoint=None,
        outcome="not-exercised",
        duration=0,
        limit=subject.limit,
        meter=subject.meter,
        notes=notes,
        reason=reason,
    )


def with_route(check: Check, route: str) -> Check:
    """The check of a route that is known by another name: the framework tells of a mounted one only its last part."""
    return _with_routes(replace(check, route=route))


def doubts(segments: Iterable[Segment], exchange: Exchange, found: Sequence[Finding]) -> tuple[str, ...]:
    """A note on each round trip of which nobody can say which thread made it. `found`: the findings of the exchange."""
    unsettled = [each for each in segments if each.doubtful_trips]
    if not unsettled:
        return ()
    from pytest_noblock.judge import doubts  # most runs leave none

    return doubts.notes(unsettled, exchange.number, found)


def unmeasured(
    subject: Subject, reason: str, exchange: Exchange | None = None, relative: Callable[[str], str] = str
) -> Check:
    """The check of a request of which nothing can be said. `exchange`: how far the request came; None: not known."""
    return Check(
        id=subject.id,
        request=subject.request,
        route=None,
        endpoint=None,
        outcome=outcome_of((), reason),
        duration=0,
        limit=subject.limit,
        meter=subject.meter,
        background=task_runs(exchange, relative) if exchange is not None else (),
        reason=reason,
        exchange=exchange,
        exchanges=(exchange,) if exchange is not None else (),
    )


def with_mocked_calls(
    check: Check, segments: Iterable[Segment], relative: Callable[[str], str], *, fail: bool
) -> Check:
    """The check with the known blocking calls that a mock answered: with `fail` as findings, else as notes."""
    answered = [segment for segment in segments if segment.answered]
    if not answered:
        return check
    from pytest_noblock.judge import mocked

    return _with_routes(mocked.judged(check, answered, relative, fails=fail))


def with_task_faults(checks: Sequence[Check], faults: "Sequence[Fault]", relative: Callable[[str], str]) -> list[Check]:
    """The checks, the same number, each with the faults of its own background tasks."""
    from pytest_noblock.judge import background

    return [_with_routes(check) for check in background.shared_out(checks, faults, relative)]


def left(exchange: Exchange, limits: Limits, relative: Callable[[str], str]) -> tuple[str, ...]:
    """Notes on what the exchange left behind. Most leave nothing, and need no import for that."""
    if not exchange.left:
        return ()
    from pytest_noblock.judge import left

    return tuple(left.notes(exchange, limits, relative))


def _with_routes(check: Check) -> Check:
    """The check with the route of each finding, which makes `Finding.identity` complete."""
    if not check.findings:
        return check
    route = route_of(check)
    return replace(check, findings=tuple(replace(each, route=route) for each in check.findings))


def route_of(check: Check) -> str:
    """Method and template, `GET /users/{id}`; the test's id where the request has no route."""
    return route_name(check.id, check.request, check.route)


def task_runs(exchange: Exchange, relative: Callable[[str], str]) -> tuple[TaskRun, ...]:
    """The background tasks of the exchange. Most exchanges have none, and need no import of what judges tasks."""
    if not exchange.tasks:
        return ()
    from pytest_noblock.judge import background

    return background.task_runs(exchange, relative)
