"""Who had to wait, and for how long: the rows `harm` of a finding (pure)."""

from collections.abc import Iterator

from pytest_noblock.model.check import Check, ProbeWaits
from pytest_noblock.model.finding import MOCKED, Finding
from pytest_noblock.model.kinds import KINDS
from pytest_noblock.model.observation import LOOP, Phase
from pytest_noblock.model.shown import without_secrets
from pytest_noblock.model.units import words

_UNPROBED = "every other request of this worker waited meanwhile"
_AWAY = "in production the server is a network away, and every other request waits for it"
_NOT_SERVING = "the worker serves nobody until that is over: it starts, or it stops"
_IN_PRODUCTION = "in production every other request of this worker waits meanwhile"


def harms(check: Check, finding: Finding) -> list[str]:
    if finding.evidence == MOCKED:
        return [_IN_PRODUCTION]
    if finding.phase is Phase.LIFESPAN:
        return [_NOT_SERVING]
    waits = [
        _harm(probe) for probe in _shown(check.probes, finding) if probe.waited
    ]  # of the others none was due in it
    if finding.kind == "sync-network" and finding.blocked_ns < check.limit:
        return [*waits, _AWAY]
    return [*waits, *_meanwhile(check, finding)] or [_UNPROBED]


def _shown(probes: tuple[ProbeWaits, ...], finding: Finding) -> list[ProbeWaits]:
    """The probes that show the harm: the user's probes or, where there are none, those of the event loop.

    For a kind that shows in probes only: the probes that waited for half of the finding's time or longer.
    """
    if KINDS[finding.kind].confirmation == "probes again":
        return [probe for probe in probes if probe.waited and 2 * probe.worst >= finding.blocked_ns]
    users = [probe for probe in probes if probe.path.startswith("/")]
    return users or [probe for probe in probes if probe.path == LOOP]


def _harm(probe: ProbeWaits) -> str:
    name = f"probes of GET {without_secrets(probe.path)}" if probe.path.startswith("/") else f"turns of {probe.path}"
    alone = f", worst {words(probe.worst)} (alone {words(probe.alone)})"
    return f"{probe.waited} of {probe.sent} {name} waited{alone}"


def _meanwhile(check: Check, finding: Finding) -> Iterator[str]:
    """How late the turns of the event loop were while the probes waited, to show that the loop was free."""
    turns = [
        probe.waited
        for probe in check.probe_runs
        if probe.path == LOOP and any(began <= probe.due < ended for began, ended in finding.stalls)
    ]
    if KINDS[finding.kind].confirmation == "probes again" and turns:
        times = "1 turn" if len(turns) == 1 else f"{len(turns)} turns"
        yield f"the event loop itself went on: {times} meanwhile, the latest {words(max(turns))} late"
