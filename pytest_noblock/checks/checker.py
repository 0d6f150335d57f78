"""A request of the fixture: the engine observes it, the judges find stalls, later runs confirm the findings."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import chain
from typing import Literal, NamedTuple

from pytest_noblock.checks import assemble, unanswered
from pytest_noblock.checks.assemble import Subject, Verdict
from pytest_noblock.checks.plan import SAFE, Plan
from pytest_noblock.engine.asgi.app_thread import AppThread, InForkedChild, LoopBlocked, LoopEnded
from pytest_noblock.engine.asgi.transport import AppTransport
from pytest_noblock.engine.exchange import LiveExchange
from pytest_noblock.engine.frameworks import starlette
from pytest_noblock.engine.frameworks.http_client import httpx
from pytest_noblock.engine.guard import fault
from pytest_noblock.engine.many.flights import Many, ManyRun
from pytest_noblock.engine.now import now
from pytest_noblock.engine.observe import NotAnswered, Request, Run, RunContext, Stuck, observe
from pytest_noblock.engine.observe_many import observe_many
from pytest_noblock.engine.probing.probes import ProbeFailed
from pytest_noblock.engine.selfcheck import pace_now
from pytest_noblock.engine.stacks import as_stack
from pytest_noblock.engine.steps import first_uses
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.judge import (
    capacity,
    confirmation,
    deadlocks,
    first_use,
    gil,
    grouping,
    inconclusive,
    last_net,
    shared_turns,
    traced,
)
from pytest_noblock.judge.stalls import breaking, doubtful, of_probes_in_doubt, stalls
from pytest_noblock.model.check import Check
from pytest_noblock.model.finding import Finding
from pytest_noblock.model.frames import Frame, user_frame
from pytest_noblock.model.kinds import Confirmation
from pytest_noblock.model.limits import Limits, sample_after
from pytest_noblock.model.observation import Exchange, Meter, Observation
from pytest_noblock.model.stall import Stall

_GIVE_UP_S = 30.0
"""Seconds that a request may take where neither the request nor the client has a timeout."""

_GRACE_S = 5
"""Seconds that the test's thread waits for the loop thread, after the loop thread should have given up the request."""

_MANY_S = 3600.0
"""Seconds that a run of many requests may take. Each request has limits of its own: this is the last resort."""


class SentBefore(NamedTuple):
    """What is recorded of one request, sent among others."""

    first: Observation
    """The run that is judged."""
    cold: Observation | None = None
    """An earlier one, as a warm-up."""
    exact: Observation | None = None
    """A later one, with counters at every user line."""


class _Before(NamedTuple):
    """What the runs before those that confirm have shown."""

    observation: Observation
    """Of the run that is judged."""
    response: httpx.Response | None
    warm_up: list[Stall]
    """What broke the limits in the warm-up."""
    left: list[str]
    """Notes on what the warm-up left behind."""


class Checker:
    """Checks the requests of one test against a running app, with an httpx client for this test alone."""

    def __init__(self, app: AppThread, user: UserCode, meter: Meter, warm: set[tuple[str, str]]) -> None:
        """`warm`: method and path of the requests that the running app has answered already; the checker adds to it."""
        self._transport = AppTransport(app.app, app.given)
        self.client = httpx.AsyncClient(transport=self._transport, base_url="http://testserver", timeout=_GIVE_UP_S)
        self._app = app
        self._user = user
        self._context = RunContext(self.client, user, meter)
        self._warm = warm
        self._exact: list[Observation] = []
        """A run with counters that has been made already."""
        first_uses.forget()

    @property
    def beside(self) -> list[str]:
        """Requests that were sent with `client` itself. The list grows while the test runs."""
        return self._transport.beside

    def ask_for_tasks(self) -> None:
        """The test asks when its background tasks began."""
        self._transport.asks_for_tasks = True

    def check(self, id: str, request: Request, plan: Plan) -> Check:
        """The Check of one request. What the app does raises nothing here: the Check tells it.

        What interrupts the test, as Ctrl-C and the alarm of pytest-timeout, goes on, without the frames of ours.
        """
        __tracebackhide__ = True
        try:
            return self._checked(id, request, plan)
        except Exception:
            raise
        except BaseException as interrupt:  # noqa: BLE001  # it goes on
            raise interrupt.with_traceback(None) from None

    def _checked(self, id: str, request: Request, plan: Plan) -> Check:
        subject = Subject(id, self._method_and_path(request), plan.limits.max_block, self._context.meter)
        return self._told(subject, request, lambda: self._measured(subject, request, plan))

    def _told(self, subject: Subject, request: Request, measure: Callable[[], Check]) -> Check:
        """What `measure` returns; where it raises, the check that says why nothing was measured."""
        exchange = None
        try:
            return measure()
        except Stuck as stuck:
            exchange = stuck.exchange
            where = self._relative(stuck.frame)
            reason = inconclusive.stuck(subject.request, self._seconds(request), where, exchange)
        except LoopBlocked as blocked:
            self._app.abandon()
            held_at = user_frame(as_stack(blocked.frames, self._user))
            where, deadlock = self._relative(held_at), deadlocks.told(held_at)
            reason = inconclusive.loop_not_returned(subject.request, self._seconds(request), where, deadlock)
        except LoopEnded as error:
            self._app.usable = False
            reason = f"{subject.request} ended the event loop with {error}"
        except InForkedChild:
            reason = f"{subject.request} cannot be sent: the app runs in the process that forked this one"
        except ProbeFailed as error:
            reason = str(error)
        except NotAnswered as error:
            reason = unanswered.reason(subject.request, error.__cause__)
        except Exception as error:  # noqa: BLE001  # ours, and not the user's; see `guard`
            reason = fault(error)
        return assemble.unmeasured(subject, reason, exchange, self._user.relative)

    def many(self, run: ManyRun, many: Many, overdue: Callable[[], bool]) -> Observation:
        """Sends many requests at once. `overdue`: called now and then; whether somebody took the loop for good.

        Raises LoopBlocked and LoopEnded; then the app is not used again, and `many` knows who did it.
        """
        try:
            observation = self._app.call(
                observe_many, self._context, self._transport, run, many, timeout_s=_MANY_S, overdue=overdue
            )
        except KeyboardInterrupt:
            many.ended.wait(_GRACE_S)
            raise
        except LoopBlocked:
            many.culprit = many.holder(0)
            self._app.abandon()
            raise
        except LoopEnded:
            many.culprit = self._app.last_owner
            self._app.usable = False
            raise
        if observation is None:
            raise RuntimeError("a run ended without an observation")
        return observation

    def settle(self, id: str, request: Request, plan: Plan, sent: SentBefore) -> Check:
        """The Check of a request that other runs have sent. Where these leave a doubt, it is sent again, alone."""
        subject = Subject(id, self._method_and_path(request), plan.limits.max_block, self._context.meter)
        warm_up = breaking(stalls(sent.cold, plan.limits), plan.limits) if sent.cold is not None else []
        self._exact = [sent.exact] if sent.exact is not None else []
        before = _Before(sent.first, None, warm_up, [])
        return self._told(subject, request, lambda: self._judged(subject, request, plan, before))

    def _measured(self, subject: Subject, request: Request, plan: Plan) -> Check:
        warm_up, left = self._warm_up(request, plan)
        observation, response = self._run(request, Run((request,) * plan.concurrency, plan.probes), plan.limits)
        return self._judged(subject, request, plan, _Before(observation, response, warm_up, left))

    def _judged(self, subject: Subject, request: Request, plan: Plan, before: "_Before") -> Check:
        observation, response, warm_up, left = before
        cold = self._findings(warm_up)
        once = not _sent_again(request, plan)
        found = stalls(first_use.taken_off(observation) if once else observation, plan.limits)
        sure = self._sure(request, plan, observation, found, warm_up)
        if observation.probe_failed is not None and not sure:
            raise ProbeFailed(observation.probe_failed)
        exchange = observation.exchanges[-1]
        left = [*left, *self._left(observation, plan)]
        held = assemble.held(exchange, observation.segments, sure)
        taken = capacity.shares(observation, held, sure)
        check = assemble.measured(
            subject,
            exchange,
            Verdict(
                sure,
                (
                    *grouping.notes(sure, self._findings(found), cold, plan.limits),
                    *assemble.doubts(observation.segments, exchange, sure),
                    *self._answered_elsewhere(plan, exchange),
                    *dict.fromkeys(left),
                    *traced.notes(observation, exchange, plan.limits),
                    *gil.kept_asleep(observation, plan.limits),
                    *of_probes_in_doubt(observation, plan.limits),
                    *_unsettled(observation, found, plan.limits),
                    *last_net.waits_on_trio(observation, plan.limits),
                    *(first_use.notes(observation, exchange, plan.limits) if once else ()),
                    *(() if once else first_use.imported_again(observation, exchange, plan.limits)),
                ),
                self._not_measured(plan, observation) or last_net.unexplained(observation, found, plan.limits),
            ),
            self._user.relative,
            loop=observation.loop,
            loop_ns=held,
            steps=assemble.steps(exchange, observation.segments),
            max_total=plan.limits.max_total,
            almost=grouping.almost(sure, self._findings(found), cold, plan.limits),
            probes=grouping.probe_waits(observation, sure),
            probe_runs=observation.probes,
            capacity=capacity.words(taken),
            scarce_ns=capacity.scarcest(taken),
            exchanges=observation.exchanges,
            response=response,
        )
        check = assemble.with_total(check, observation.segments, found, plan.limits, pace_now, self._user.relative)
        return assemble.with_mocked_calls(check, observation.segments, self._user.relative, fail=plan.mocked_calls_fail)

    def _method_and_path(self, request: Request) -> str:
        """`GET /users/7`, with the path that the app will see: with the client's base path, without host and query."""
        try:
            path = self.client.build_request(request.method, request.url).url.path
        except (httpx.InvalidURL, TypeError):
            path = request.url.partition("?")[0]
        return f"{request.method} {path}"

    def _not_measured(self, plan: Plan, observation: Observation) -> str | None:
        """Why the request was not measured; of several copies, why one was not."""
        sent = observation.exchanges if len(observation.exchanges) == plan.concurrency else observation.exchanges[-1:]
        if plan.expect == "any":
            return next(filter(None, map(inconclusive.without_an_answer, sent)), None)
        app = self._app.given
        paths = inconclusive.Paths(starlette.paths_of(app), starlette.paths_of(app, "WebSocketRoute"))
        reasons = [inconclusive.not_measured(each, paths, self._user.relative) for each in sent]
        why = next(filter(None, reasons), None)
        if why is None or len(sent) == 1:
            return why
        return f"{why}; so did {sum(map(bool, reasons))} of {len(sent)} copies"

    def _answered_elsewhere(self, plan: Plan, exchange: Exchange) -> list[str]:
        """A note on an answer that the test takes, although it did not come from the endpoint."""
        if plan.expect != "any":
            return []
        why = inconclusive.elsewhere(exchange, shown=self._user.relative, past=False)
        return [f"{why}; the test takes any answer, and the endpoint was not measured"] if why else []

    def _left(self, observation: Observation, plan: Plan) -> list[str]:
        """Notes on what the requests left behind."""
        notes = (assemble.left(each, plan.limits, self._user.relative) for each in observation.exchanges)
        return list(chain.from_iterable(notes))

    def _warm_up(self, request: Request, plan: Plan) -> tuple[list[Stall], list[str]]:
        """What broke the limits in a warm-up (imports, templates, connections), and what the warm-up left behind.

        Empty where no warm-up is sent.

        By default the running app gets one warm-up for each method and path.
        """
        key = (request.method, request.url.partition("?")[0])
        wanted = request.method in SAFE and key not in self._warm if plan.warmup is None else plan.warmup
        self._warm.add(key)
        if not wanted:
            return [], []
        observation = self._again(request, plan, Run((request,) * plan.concurrency))
        return breaking(stalls(observation, plan.limits), plan.limits), self._left(observation, plan)

    def _sure(
        self, request: Request, plan: Plan, observation: Observation, found: list[Stall], warm_up: list[Stall]
    ) -> list[Finding]:
        """The findings that are beyond doubt: other runs showed them, too, or, without other runs, one was proof.

        Sends the request up to eight times more, up to nine times on the portable meter. Each kind has its own way.
        """
        broken = breaking(found, plan.limits)
        if not _sent_again(request, plan):
            return self._findings(stall for stall in broken if stall.sure)
        return [
            *self._confirmed_on_loop(request, plan, observation, found, warm_up),
            *self._confirmed_off_loop(request, plan, "probes again", broken),
            *self._confirmed_off_loop(request, plan, "alone again", broken),
        ]

    def _confirmed_on_loop(
        self, request: Request, plan: Plan, observation: Observation, found: list[Stall], warm_up: list[Stall]
    ) -> list[Finding]:
        """Findings that runs with counters show again or, where it takes more than one request, a run as the first."""
        found = confirmation.confirmed_by("line counters", found)
        broken = breaking(found, plan.limits)
        doubt = doubtful(observation, found)
        if not broken and not doubt:
            return []
        alone = [stall for stall in broken if stall.requests == 1]  # what many hold together, one does not show again
        result = self._confirmed_by_counters(request, plan, alone) if alone or doubt else []
        sure = self._findings(stall for stall in broken if stall.sure)
        warm = self._findings(stall for stall in warm_up if stall.sure)
        result += confirmation.shown_by_warm_up(confirmation.open_after(sure, result), warm)
        left = confirmation.open_after(sure, result)
        if left and (plan.concurrency > 1 or plan.probes):
            result += self._came_again(request, plan, "as sent", left)
        return self._named(request, plan, result)

    def _named(self, request: Request, plan: Plan, found: list[Finding]) -> list[Finding]:
        """Of what many hold together, each part may be too short for a look: counters name its line, in one request."""
        if not any(map(shared_turns.lacks_line, found)):
            return found
        repeat = confirmation.repeat_for("line counters", self._context.meter)
        alone = self._findings(stalls(self._again(request, plan, _run_of(repeat, request, plan)), plan.limits))
        return [shared_turns.named(each, alone) for each in found]

    def _confirmed_by_counters(self, request: Request, plan: Plan, broken: list[Stall]) -> list[Finding]:
        """Runs with counters at every user line; on the portable meter without counters."""
        repeat = confirmation.repeat_for("line counters", self._context.meter)
        nearly = confirmation.nearly(plan.limits)
        first = self._findings(broken)
        runs: list[list[Finding]] = []
        result: list[Finding] = []
        while len(runs) < repeat.at_most and confirmation.may_show_more(repeat, first, runs, result):
            known = self._exact.pop() if self._exact else None
            again = stalls(known or self._again(request, plan, _run_of(repeat, request, plan)), nearly)
            runs.append(self._findings(filter(confirmation.is_sleep_of_its_own, breaking(again, nearly))))
            result = confirmation.confirmed(first, runs, needed=repeat.needed)
        return result

    def _confirmed_off_loop(self, request: Request, plan: Plan, how: Confirmation, found: list[Stall]) -> list[Finding]:
        """Findings confirmed by runs with probes: what happens off the loop shows in no step of the request."""
        return self._came_again(request, plan, how, self._findings(confirmation.confirmed_by(how, found)))

    def _came_again(
        self, request: Request, plan: Plan, how: Confirmation | Literal["as sent"], first: list[Finding]
    ) -> list[Finding]:
        repeat = confirmation.repeat_for(how, self._context.meter)
        runs: list[list[Finding]] = []
        while len(runs) < repeat.at_most and not confirmation.all_came_again(first, runs):
            again = breaking(
                stalls(self._again(request, plan, _run_of(repeat, request, plan)), plan.limits), plan.limits
            )
            runs.append(self._findings(stall for stall in again if stall.sure or not repeat.only_sure))
        return confirmation.came_again(first, runs)

    def _again(self, request: Request, plan: Plan, run: Run) -> Observation:
        """Sends the request for its observation only: the client's cookies stay as they were."""
        cookies = httpx.Cookies(self.client.cookies)
        try:
            return self._run(request, run, plan.limits)[0]
        finally:
            self.client.cookies = cookies

    def _run(self, request: Request, run: Run, limits: Limits) -> tuple[Observation, httpx.Response | None]:
        seconds = self._seconds(request)
        run = replace(
            run,
            give_up_after=round(seconds * 1e9),
            sample_after=sample_after(limits.max_block),
            linger=limits.linger,
        )
        sent: list[LiveExchange] = []
        return self._app.call(
            observe,
            self._context,
            run,
            sent,
            timeout_s=seconds + limits.linger / 1e9 + _GRACE_S,
            overdue=lambda: _all_over(sent, run),
        )

    def _seconds(self, request: Request) -> float:
        """Seconds that a request may take: the `read` of httpx's timeout; `_GIVE_UP_S` where it has none."""
        timeout = httpx.Timeout(request.arguments.get("timeout", self.client.timeout))
        return timeout.read or _GIVE_UP_S

    def _findings(self, found: Iterable[Stall]) -> list[Finding]:
        return grouping.findings(found, self._user.relative)

    def _relative(self, frame: Frame | None) -> Frame | None:
        return frame.named(self._user.relative(frame.file)) if frame else None


def _unsettled(observation: Observation, found: Sequence[Stall], limits: Limits) -> list[str]:
    """Notes on turns of the loop that many small steps made long."""
    told = list(shared_turns.notes(observation, found, limits).values())
    crowd = None if told else last_net.crowd(observation, found, limits)
    return told if crowd is None else [crowd]


def _all_over(sent: Sequence[LiveExchange], run: Run) -> bool:
    """Whether the app has answered all requests of the run so long ago that what they left is waited for no more."""
    ends = [each.returned for each in list(sent)]
    latest = now() - run.linger - round(_GRACE_S * 1e9)
    return len(ends) >= len(run.requests) and all(end is not None and end < latest for end in ends)


def _sent_again(request: Request, plan: Plan) -> bool:
    """Whether the request may be sent again, to see whether what it showed comes again."""
    return request.method in SAFE if plan.confirm is None else plan.confirm


def _run_of(repeat: confirmation.Repeat, request: Request, plan: Plan) -> Run:
    copies = 1 if repeat.alone else plan.concurrency
    return Run((request,) * copies, plan.probes if repeat.probes else None, exact=repeat.counters)
