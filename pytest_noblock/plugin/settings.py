"""The settings that hold for one test, and one reader for the value of each option."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, NamedTuple, cast, get_args

from pytest_noblock.model import units
from pytest_noblock.model.limits import Limits

if TYPE_CHECKING:
    from pytest_noblock.checks.plan import Plan

Action = Literal["fail", "warn"]


class Settings(NamedTuple):
    """What holds for one test."""

    limits: Limits = Limits()
    probes: tuple[str, ...] = ()
    app: object = None
    """The app itself or `pkg.mod:app`; None: look for a fixture."""
    action: Action = "fail"
    mocked_calls_fail: bool = False
    """Whether a known blocking call that a mock answered is a finding; False: it is a note."""
    lifespan_fails: bool = False
    """Whether a stall in a watched app's lifespan is a finding; False: it is a note."""

    @property
    def plan(self) -> "Plan":
        """How the fixture's requests are checked."""
        from pytest_noblock.checks.plan import Plan

        return Plan(self.limits, self.probes, mocked_calls_fail=self.mocked_calls_fail)


Reader = Callable[[Settings, object], Settings]
"""Returns the settings with the value of one option in them. Raises ValueError, in one sentence, for a wrong value."""


def read_max_block(settings: Settings, value: object) -> Settings:
    return settings._replace(limits=settings.limits._replace(max_block=units.parse(value)))


def read_max_total(settings: Settings, value: object) -> Settings:
    return settings._replace(limits=settings.limits._replace(max_total=units.parse(value)))


def read_linger(settings: Settings, value: object) -> Settings:
    return settings._replace(limits=settings.limits._replace(linger=units.parse(value)))


def read_probe(settings: Settings, value: object) -> Settings:
    from pytest_noblock.checks.plan import probe_paths

    return settings._replace(probes=probe_paths(value))


def read_app(settings: Settings, value: object) -> Settings:
    return settings._replace(app=value)


def read_action(settings: Settings, value: object) -> Settings:
    if not (isinstance(value, str) and value in get_args(Action)):
        from pytest_noblock.model import shown

        raise ValueError(f"{shown.value(value)} is neither 'fail' nor 'warn'")
    return settings._replace(action=cast("Action", value))


def read_lifespan(settings: Settings, value: object) -> Settings:
    return settings._replace(lifespan_fails=value == "fail")


def read_known_calls(settings: Settings, value: object) -> Settings:
    return settings._replace(mocked_calls_fail=value == "fail")
