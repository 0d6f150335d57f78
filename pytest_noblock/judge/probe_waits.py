"""How long probes waited, and which of them waited for a finding. Pure functions."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from pytest_noblock.model.check import ProbeWaits
from pytest_noblock.model.finding import Finding
from pytest_noblock.model.observation import Observation, Probe


def probe_waits(observation: Observation, found: Sequence[Finding]) -> tuple[ProbeWaits, ...]:
    """How long the probes of each path waited, and how many waited for a finding; in the order of the first probes."""
    by_path: defaultdict[str, list[Probe]] = defaultdict(list)
    for probe in observation.probes:
        by_path[probe.path].append(probe)
    return tuple(
        ProbeWaits(
            path,
            sent=len(probes),
            waited=_had_to_wait(probes, [finding for finding in found if _felt(finding, path)]),
            worst=max(probe.waited for probe in probes),
            alone=observation.alone.get(path, 0),
        )
        for path, probes in by_path.items()
    )


def _felt(finding: Finding, path: str) -> bool:
    """Whether a probe of this path can wait for the finding: a built-in probe needs no lock, and one pool at most."""
    if path.startswith("/"):
        return True
    return finding.waiter is None and finding.pool in (None, path)


def _had_to_wait(probes: Iterable[Probe], found: Iterable[Finding]) -> int:
    """How many probes were due in a stall of the findings and answered only after this stall."""
    stalls = [stall for finding in found for stall in finding.stalls]
    return sum(any(began <= each.due < ended <= each.answered for began, ended in stalls) for each in probes)
