"""What the messages between client and app say: when the response began, when it was complete, what its status is.

`send` runs the client's code: a segment of the request ends where a message passes.
"""

from collections.abc import Mapping
from types import TracebackType

from pytest_noblock.engine.exchange import LiveExchange, Message
from pytest_noblock.engine.frameworks.background_tasks import let_begin
from pytest_noblock.engine.now import now
from pytest_noblock.engine.raw_stacks import border
from pytest_noblock.engine.steps.handles import current_meter

border(__file__, sending=("before", "passed", "cut_segment"))


class ExchangeRecorder:
    """Writes into the record when the messages of the response passed and how the app's call ended.

    `with recorder:` stands around the app's call; `before` and `passed` frame each
    message that the app sends. The caller cuts the request's segment, because only the
    caller knows whether the client's code runs in `send`.
    """

    def __init__(self, record: LiveExchange, *, asks_for_tasks: bool) -> None:
        """`asks_for_tasks`: see `before`."""
        self.record = record
        self._asks_for_tasks = asks_for_tasks

    def __enter__(self) -> None:
        """The app's call begins; `sent` stands in the record already."""

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.record.error = error
        self.record.returned = self.record.phase_began = now()

    async def before(self, message: Message) -> None:
        """Yield to the loop before the body passes, so that a background task can show that it begins too early.

        Only where somebody asks: the turn of the loop changes which of several requests goes first.
        """
        if self._asks_for_tasks and type_of(message) is not None:
            await let_begin(self.record, message)

    def told(self, message: Message) -> Message:
        """Note when the app is told to stop; from then on the steps of its lifespan are its stop."""
        if type_of(message) == "lifespan.shutdown":
            self.record.completed = self.record.phase_began = now()
        return message

    def passed(self, message: Message) -> bool:
        """Note the times of the response's start and end (ns); returns whether the response is complete now."""
        moment, record = now(), self.record
        kind = message.get("type") if type(message) is dict else type_of(message)
        if kind == "http.response.start":
            record.started = moment
            record.status = _status_of(message)
        elif kind == "http.response.body":
            if not message.get("more_body", False):
                record.completed = record.phase_began = moment
                return True
        elif kind == "lifespan.startup.complete":
            record.started = record.phase_began = moment
        return False


def cut_segment() -> None:
    """A phase ends in this step: what follows is a segment of its own."""
    meter = current_meter()
    if meter is not None:
        meter.switch_owner(meter.owner)


def type_of(message: object) -> str | None:
    """None where the app sends what is no message: the server, or the client, will say so."""
    if type(message) is dict:  # nearly always, and to ask for a Mapping takes 1 us
        kind = message.get("type")
        return kind if isinstance(kind, str) else None
    kind = message.get("type") if isinstance(message, Mapping) else None
    return kind if isinstance(kind, str) else None


def _status_of(message: Message) -> int | None:
    status = message.get("status")
    return status if isinstance(status, int) else None
