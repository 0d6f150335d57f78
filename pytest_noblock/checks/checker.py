"""Observe, judge, confirm: where the engine and the verdict meet."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import httpx

from pytest_noblock.engine.asgi.app_thread import AppThread, LoopBlocked, LoopEnded
from pytest_noblock.engine.asgi.transport import AppTransport
from pytest_noblock.engine.frameworks import starlette
from pytest_noblock.engine.observe import Request, Run, RunContext, Stuck, observe
from pytest_noblock.engine.probing.probes import ProbeFailed
from pytest_noblock.engine.stacks import as_stack
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.judge import grouping, inconclusive, mocked, pool
from pytest_noblock.judge.background_findings import task_runs
from pytest_noblock.judge.stalls import breaking, doubtful, stalls
from pytest_noblock.model.finding import Check, Finding, blank
from pytest_noblock.model.frames import Frame, user_frame
from pytest_noblock.model.limits import Limits
from pytest_noblock.model.observation import Meter, Observation
from pytest_noblock.model.stall import BESIDE, Stall

_SAFE = {"GET", "HEAD", "OPTIONS"}
_GIVE_UP_S = 30.0
_GRACE_S = 5
_SAMPLE_AFTER_NS = 10_000_000
_PORTABLE_REPEATS = 3
_BESIDE_REPEATS = 2


@dataclass(frozen=True, slots=True)
class Plan:
    """How a request is checked. `warmup` and `confirm`: None leaves it to the request's method."""

    limits: Limits = Limits()
    probes: tuple[str, ...] = ()
    concurrency: int = 1
    warmup: bool | None = None
    confirm: bool | None = None


class Checker:
    """Checks the requests of one test against a running app; its client is nobody else's."""

    def __init__(self, runner: AppThread, user: UserCode, meter: Meter, warm: set[tuple[str, str]]) -> None:
        """`warm`: the requests that the running app has seen already; added to."""
        self.client = httpx.AsyncClient(
            transport=AppTransport(runner.app), base_url="http://testserver", timeout=_GIVE_UP_S
        )
        self._runner = runner
        self._user = user
        self._subject = RunContext(self.client, user, meter)
        self._warm = warm

    def check(self, id: str, request: Request, plan: Plan) -> Check:
        """Never raises for what the app does: the Check says it."""
        unknown = blank(id, request.label, plan.limits.max_block, self._subject.meter)
        try:
            return self._checked(unknown, request, plan)
        except Stuck as stuck:
            where = self._shown(stuck.frame)
            reason = inconclusive.stuck(request.label, self._seconds(request), where, stuck.exchange)
            if stuck.exchange is not None:
                runs = task_runs(stuck.exchange, self._user.relative)
                unknown = unknown._replace(exchange=stuck.exchange, background=runs)
        except LoopBlocked as blocked:
            self._runner.usable = False
            where = self._shown(user_frame(as_stack(blocked.frames, self._user)))
            reason = inconclusive.loop_not_returned(request.label, self._seconds(request), where)
        except LoopEnded as error:
            self._runner.usable = False
            reason = f"{request.label} ended the event loop with {error}"
        except ProbeFailed as error:
            reason = str(error)
        except (httpx.RequestError, httpx.InvalidURL) as error:
            reason = f"{request.label} cannot be sent: {error}"
        return unknown._replace(reason=reason)

    def _checked(self, unknown: Check, request: Request, plan: Plan) -> Check:
        cold = self._warm_up(request, plan)
        observation, response = self._run(request, Run(plan.concurrency, plan.probes), plan.limits)
        found = stalls(observation, plan.limits)
        final = self._final(request, plan, observation, found)
        if observation.probe_failed is not None and not final:
            raise ProbeFailed(observation.probe_failed)
        exchange = observation.exchanges[-1]
        reason = None if final else inconclusive.not_measured(exchange, starlette.paths_of(self._runner.given))
        check = unknown._replace(
            route=exchange.route,
            endpoint=exchange.endpoint,
            outcome="failed" if final else "inconclusive" if reason else "passed",
            duration=(exchange.completed or exchange.returned or exchange.sent) - exchange.sent,
            findings=tuple(final),
            probes=grouping.probe_waits(observation, final),
            notes=grouping.notes(final, self._findings(found), cold, plan.limits),
            background=task_runs(exchange, self._user.relative),
            capacity=pool.capacity(observation),
            reason=reason,
            exchange=exchange,
            exchanges=observation.exchanges,
            probe_runs=observation.probes,
            response=response,
        )
        return mocked.judged(check, observation.segments, self._user.relative, fails=not plan.limits.known_calls)

    def _warm_up(self, request: Request, plan: Plan) -> list[Finding]:
        """What only the first request costs; once for each route of a running app."""
        key = (request.method, request.url.partition("?")[0])
        wanted = request.method in _SAFE and key not in self._warm if plan.warmup is None else plan.warmup
        self._warm.add(key)
        if not wanted:
            return []
        return self._findings(
            breaking(stalls(self._again(request, plan, Run(plan.concurrency)), plan.limits), plan.limits)
        )

    def _final(self, request: Request, plan: Plan, observation: Observation, found: list[Stall]) -> list[Finding]:
        """What is beyond doubt: came again at the same line or, where that must not be tried, was sure at once."""
        broken = breaking(found, plan.limits)
        if not (request.method in _SAFE if plan.confirm is None else plan.confirm):
            return self._findings(stall for stall in broken if stall.sure)
        inside = [stall for stall in found if stall.kind not in BESIDE]
        threads = self._findings(stall for stall in broken if stall.kind == "gil")
        beside = self._findings(stall for stall in broken if stall.kind in BESIDE and stall.kind != "gil")
        return [
            *self._confirmed(request, plan, observation, inside),
            *self._seen_again(request, plan, beside, copies=plan.concurrency),
            *self._seen_again(request, plan, threads, copies=1),
        ]

    def _seen_again(self, request: Request, plan: Plan, first: list[Finding], *, copies: int) -> list[Finding]:
        """What is seen beside the steps only a run with probes shows again; that a thread keeps the lock, one alone."""
        runs: list[list[Finding]] = []
        while len(runs) < _BESIDE_REPEATS and len(_placed(grouping.came_again(first, runs))) < len(first):
            observation = self._again(request, plan, Run(copies, plan.probes))
            broken = breaking(stalls(observation, plan.limits), plan.limits)
            runs.append(self._findings(stall for stall in broken if stall.sure or stall.kind != "gil"))
        return grouping.came_again(first, runs)

    def _confirmed(self, request: Request, plan: Plan, observation: Observation, found: list[Stall]) -> list[Finding]:
        """By counters at every line of the loop's thread."""
        broken = breaking(found, plan.limits)
        if not broken and not doubtful(observation, found):
            return []
        first = self._findings(broken)
        runs: list[list[Finding]] = []
        if self._subject.meter == "portable":
            runs = [self._once_more(request, plan, exact=False) for _ in range(_PORTABLE_REPEATS)]
            return grouping.confirmed(first, runs, needed=1 + len(runs))
        runs.append(self._once_more(request, plan, exact=True))
        result = grouping.confirmed(first, runs, needed=2)
        if len(result) < max(len(first), len(runs[0])):
            runs.append(self._once_more(request, plan, exact=True))
            result = grouping.confirmed(first, runs, needed=2)
        return result

    def _once_more(self, request: Request, plan: Plan, *, exact: bool) -> list[Finding]:
        """Alone, without probes; what comes to nearly the limit counts as having come again."""
        nearly = plan.limits._replace(max_block=plan.limits.max_block * 4 // 5)
        observation = self._again(request, plan, Run(exact=exact))
        return self._findings(breaking(stalls(observation, nearly), nearly))

    def _again(self, request: Request, plan: Plan, run: Run) -> Observation:
        """A run whose response nobody sees: it leaves no cookies."""
        cookies = httpx.Cookies(self.client.cookies)
        try:
            return self._run(request, run, plan.limits)[0]
        finally:
            self.client.cookies = cookies

    def _run(self, request: Request, run: Run, limits: Limits) -> tuple[Observation, httpx.Response | None]:
        seconds = self._seconds(request)
        sample_after = min(_SAMPLE_AFTER_NS, limits.max_block // 2)
        run = replace(run, give_up_after=round(seconds * 1e9), sample_after=sample_after)
        return self._runner.call(observe, self._subject, request, run, timeout_s=seconds + _GRACE_S)

    def _seconds(self, request: Request) -> float:
        """How long a request may take: httpx's own `timeout`."""
        timeout = httpx.Timeout(request.arguments.get("timeout", self.client.timeout))
        return timeout.read or _GIVE_UP_S

    def _findings(self, found: Iterable[Stall]) -> list[Finding]:
        return grouping.findings(found, self._user.relative)

    def _shown(self, frame: Frame | None) -> Frame | None:
        return frame.named(self._user.relative(frame.file)) if frame else None


def _placed(findings: list[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.file]
