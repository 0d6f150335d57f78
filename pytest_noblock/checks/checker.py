"""A request of the fixture: it is sent and observed, its stalls are found, later runs confirm the findings."""

from collections.abc import Callable
from itertools import chain
from typing import NamedTuple

from pytest_noblock.checks import assemble, unanswered
from pytest_noblock.checks.assemble import Subject
from pytest_noblock.checks.confirming import Confirming
from pytest_noblock.checks.judged import Rules, Shown, judged
from pytest_noblock.checks.plan import SAFE, Plan
from pytest_noblock.checks.sending import GIVE_UP_S, Sender
from pytest_noblock.engine.asgi.app_thread import AppThread, InForkedChild, LoopBlocked, LoopEnded
from pytest_noblock.engine.asgi.transport import AppTransport
from pytest_noblock.engine.frameworks.http_client import httpx
from pytest_noblock.engine.frameworks.shown_routes import paths_of
from pytest_noblock.engine.guard import fault
from pytest_noblock.engine.many.flights import Many, ManyRun
from pytest_noblock.engine.observe import NotAnswered, Request, Run, RunContext, Stuck
from pytest_noblock.engine.probing.probes import ProbeFailed
from pytest_noblock.engine.selfcheck import pace_now
from pytest_noblock.engine.stacks import as_stack
from pytest_noblock.engine.steps import first_uses
from pytest_noblock.engine.usercode import UserCode
from pytest_noblock.judge import deadlocks, first_use, inconclusive, last_net, repeats
from pytest_noblock.judge.repeats import Repeat
from pytest_noblock.judge.stalls import breaking, stalls
from pytest_noblock.model.check import Check
from pytest_noblock.model.frames import Frame, user_frame
from pytest_noblock.model.observation import Meter, Observation
from pytest_noblock.model.stall import Stall


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
    counted: list[Observation]
    """Runs with counters."""
    two_are_proof: bool = False
    """See `Confirming`."""


class Checker:
    """Checks the requests of one test against a running app, with an httpx client for this test alone."""

    def __init__(
        self, app: AppThread, user: UserCode, meter: Meter, warm: set[tuple[str, str]], *, goes_on: bool = False
    ) -> None:
        """`warm`: method and path of the requests that the running app has answered already; the checker adds to it.

        `goes_on`: whether another checker's requests were of the same test, as those of a sweep's rounds are: what they
        did for the first time is not done for the first time any more.
        """
        self._transport = AppTransport(app.app, app.given)
        self.client = httpx.AsyncClient(transport=self._transport, base_url="http://testserver", timeout=GIVE_UP_S)
        self._app = app
        self._user = user
        self._context = RunContext(self.client, user, meter)
        self._sender = Sender(app, self._context)
        self._warm = warm
        if not goes_on:
            first_uses.forget()

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
            reason = inconclusive.stuck(subject.request, self._sender.seconds(request), where, exchange)
        except LoopBlocked as blocked:
            self._app.abandon()
            held_at = user_frame(as_stack(blocked.frames, self._user))
            where, deadlock = self._relative(held_at), deadlocks.told(held_at)
            reason = inconclusive.loop_not_returned(subject.request, self._sender.seconds(request), where, deadlock)
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
        """Sends many requests at once: see `Sender.send_many`."""
        return self._sender.send_many(self._transport, run, many, overdue)

    def settle(self, id: str, request: Request, plan: Plan, sent: SentBefore) -> Check:
        """The Check of a request that other runs have sent. Where these leave a doubt, it is sent again, alone."""
        subject = Subject(id, self._method_and_path(request), plan.limits.max_block, self._context.meter)
        warm_up = breaking(stalls(sent.cold, plan.limits), plan.limits) if sent.cold is not None else []
        counted = [sent.exact] if sent.exact is not None else []
        before = _Before(sent.first, None, warm_up, [], counted, two_are_proof=True)
        return self._told(subject, request, lambda: self._judged(subject, request, plan, before))

    def _measured(self, subject: Subject, request: Request, plan: Plan) -> Check:
        warm_up, left = self._warm_up(request, plan)
        run = Run((request,) * plan.concurrency, plan.probes)
        observation, response = self._sender.send(request, run, plan.limits)
        return self._judged(subject, request, plan, _Before(observation, response, warm_up, left, []))

    def _judged(self, subject: Subject, request: Request, plan: Plan, before: _Before) -> Check:
        observation, response, warm_up, left, counted, two_are_proof = before
        rules = Rules(plan, self._paths, pace_now, self._user.relative)
        once = not _sent_again(request, plan)
        found = stalls(first_use.taken_off(observation) if once else observation, plan.limits)
        if once:  # one run must be proof
            sure = rules.findings(stall for stall in breaking(found, plan.limits) if stall.sure)
        else:
            again = self._again(request, plan)
            confirming = Confirming(plan, self._context.meter, again, rules.findings, counted, two_are_proof)
            sure = confirming.sure(observation, found, warm_up)
            found = confirming.settled(found)
        if observation.probe_failed is not None and not sure:
            raise ProbeFailed(observation.probe_failed)
        left = [*left, *self._left(observation, plan)]
        unexplained = last_net.unexplained(observation, found, plan.limits)
        came_again = once or bool(sure) or unexplained is None or self._is_unexplained_again(request, plan)
        shown = Shown(observation, found, sure, warm_up, left, once, response, unexplained, came_again)
        return judged(subject, shown, rules)

    def _is_unexplained_again(self, request: Request, plan: Plan) -> bool:
        """On a busy machine it comes now and then: the loop thread hands the GIL to a thread without a processor."""
        observation = self._again(request, plan)(repeats.repeat_for("as sent", self._context.meter))
        return last_net.unexplained(observation, stalls(observation, plan.limits), plan.limits) is not None

    def _again(self, request: Request, plan: Plan) -> Callable[[Repeat], Observation]:
        """Sends the request once more, as the Repeat says."""

        def again(repeat: Repeat) -> Observation:
            copies = (request,) * (1 if repeat.alone else plan.concurrency)
            run = Run(copies, plan.probes if repeat.probes else None, exact=repeat.counters)
            return self._sender.send_again(request, run, plan.limits)

        return again

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
        observation = self._sender.send_again(request, Run((request,) * plan.concurrency), plan.limits)
        return breaking(stalls(observation, plan.limits), plan.limits), self._left(observation, plan)

    def _left(self, observation: Observation, plan: Plan) -> list[str]:
        """Notes on what the requests left behind."""
        notes = (assemble.left(each, plan.limits, self._user.relative) for each in observation.exchanges)
        return list(chain.from_iterable(notes))

    def _method_and_path(self, request: Request) -> str:
        """`GET /users/7`, with the path that the app will see: with the client's base path, without host and query."""
        try:
            path = self.client.build_request(request.method, request.url).url.path
        except (httpx.InvalidURL, TypeError):
            path = request.url.partition("?")[0]
        return f"{request.method} {path}"

    def _paths(self) -> inconclusive.Paths:
        app = self._app.given
        return inconclusive.Paths(paths_of(app), paths_of(app, "WebSocketRoute"))

    def _relative(self, frame: Frame | None) -> Frame | None:
        return frame.named(self._user.relative(frame.file)) if frame else None


def _sent_again(request: Request, plan: Plan) -> bool:
    """Whether the request may be sent again, to see whether what it showed comes again."""
    return request.method in SAFE if plan.confirm is None else plan.confirm
