"""What the user accepts, with a reason: pure functions of checks."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from pytest_noblock.model.check import Check, with_findings
from pytest_noblock.model.finding import Finding


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one `noblock_allow` marker accepts."""

    reason: str
    """The user's words; never empty."""
    call: str | None = None
    """A dotted name: `sqlite3` accepts `sqlite3.Connection.execute`, and not `sqlite3x.connect`. None accepts any."""
    kinds: tuple[str, ...] | None = None
    """The ids of the kinds that it accepts. None accepts any."""

    def covers(self, finding: Finding) -> bool:
        """Whether both `call` and `kinds` accept the finding."""
        if self.kinds is not None and finding.kind not in self.kinds:
            return False
        return self.call is None or f"{finding.call}.".startswith(f"{self.call}.")


def accept(check: Check, allowances: Iterable[Allowance]) -> Check:
    """The check with each covered finding marked as accepted. If all findings are accepted, the check's outcome is."""
    return with_findings(check, [_accepted(finding, allowances) for finding in check.findings])


def unused(allowances: Iterable[Allowance], checks: Iterable[Check]) -> list[Allowance]:
    """The allowances that no finding needed."""
    findings = [finding for check in checks for finding in check.findings]
    return [each for each in allowances if not any(each.covers(finding) for finding in findings)]


def _accepted(finding: Finding, allowances: Iterable[Allowance]) -> Finding:
    """The finding with the reason of the first allowance that covers it. A finding that has a reason keeps it."""
    reason = next((each.reason for each in allowances if each.covers(finding)), None)
    return finding if finding.accepted is not None or reason is None else replace(finding, accepted=reason)
