"""What the user accepts, with a reason (pure)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from pytest_noblock.model.finding import Check, Finding


@dataclass(frozen=True, slots=True)
class Allowance:
    """`call` is matched by whole components (`sqlite3` accepts `sqlite3.Connection.execute`); None accepts any."""

    reason: str
    call: str | None = None
    kinds: tuple[str, ...] | None = None

    def covers(self, finding: Finding) -> bool:
        if self.kinds is not None and finding.kind not in self.kinds:
            return False
        return self.call is None or f"{finding.call}.".startswith(f"{self.call}.")


def accept(check: Check, allowances: Iterable[Allowance]) -> Check:
    """The check with every covered finding marked; where all of them are, it is accepted."""
    findings = tuple(_accepted(finding, allowances) for finding in check.findings)
    settled = findings and all(finding.accepted is not None for finding in findings)
    outcome = "accepted" if settled and check.outcome == "failed" else check.outcome
    return check._replace(findings=findings, outcome=outcome)


def unused(allowances: Iterable[Allowance], checks: Iterable[Check]) -> list[Allowance]:
    """The allowances that no finding needed."""
    findings = [finding for check in checks for finding in check.findings]
    return [each for each in allowances if not any(each.covers(finding) for finding in findings)]


def _accepted(finding: Finding, allowances: Iterable[Allowance]) -> Finding:
    reason = next((each.reason for each in allowances if each.covers(finding)), None)
    return finding if finding.accepted is not None or reason is None else replace(finding, accepted=reason)
