"""How a request of the fixture is to be checked. Imported in every pytest run: it imports nothing that costs time."""

from typing import Literal, NamedTuple

from pytest_noblock.model.limits import Limits

Expect = Literal["endpoint", "any"]

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""RFC 9110, 9.2.1: requests with these methods may be sent again although the user did not ask for that."""


class Plan(NamedTuple):
    """How one request is checked."""

    limits: Limits = Limits()
    probes: tuple[str, ...] = ()
    """Paths of the user's probes. Built-in probes are always sent."""
    concurrency: int = 1
    """How many copies of the request are sent at once, 1 or more."""
    warmup: bool | None = None
    """Whether the request is sent once before it is measured; None: where its method is safe to repeat."""
    confirm: bool | None = None
    """Whether a finding needs a second run that shows it again; None: where the request's method is safe to repeat."""
    mocked_calls_fail: bool = False
    """Whether a known blocking call that a mock answered is a finding; False: it is a note."""
    expect: Expect = "endpoint"
    """Who must answer: the endpoint, or anybody in front of it (a middleware, a dependency, the router) as well."""


def expected(value: object) -> Expect:
    """Raises ValueError, in one sentence, for anything but "any"."""
    if value != "any":
        raise ValueError(
            f'expect={value!r} is not "any": leave it out, and the endpoint itself must answer; expect="any" takes the '
            "answer of a middleware, a dependency or the router as well"
        )
    return "any"


def may_be_sent_again(method: str, plan: Plan) -> bool:
    """Whether the request is, or may be, sent more than once. `method`: in capital letters."""
    asked = (plan.warmup, plan.confirm)
    return plan.concurrency > 1 or any(method in SAFE if each is None else each for each in asked)


def probe_paths(value: object) -> tuple[str, ...]:
    """The probe paths in `value`, which must be one path or a list of paths. Raises ValueError, in one sentence."""
    paths = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list | tuple) else ()
    if not paths or not all(map(_is_path, paths)):
        from pytest_noblock.model import shown

        raise ValueError(f'{shown.value(value)} is not a path or a list of paths: write "/health"')
    return paths


def _is_path(value: object) -> bool:
    return isinstance(value, str) and value.startswith("/") and value.isprintable()
