"""What a validation found: errors that stop the pipeline, warnings that are told and passed."""

from dataclasses import asdict, dataclass
from typing import Any

ERROR, WARNING = "error", "warning"
NUM_PLACES = 5


@dataclass(frozen=True)
class Finding:
    """One expectation that was not met.

    `places` holds the first few rows at fault, each as "file: line 17: width is -3"; `count` is the number of all of
    them.
    """

    level: str
    suite: str
    expectation: str
    because: str
    remedy: str
    places: tuple[str, ...]
    count: int

    def told(self) -> str:
        """Return the finding in a few lines: where, what was expected, what to do."""
        more = self.count - len(self.places)
        rest = [f"  … and {more:,} more"] if more > 0 else []
        lines = [
            f"{self.level} in {self.suite}: expected that {self.expectation}",
            *(f"  {place}" for place in self.places),
            *rest,
        ]
        return "\n".join([*lines, f"  To do: {self.remedy}"])


def make_report(findings: list[Finding], counts: dict[str, Any]) -> dict[str, Any]:
    """Return report.json: no time stamps and no ids, because later stages depend on its bytes."""
    told = [asdict(finding) for finding in findings]
    return {
        "passed": not any(finding.level == ERROR for finding in findings),
        "errors": [finding for finding in told if finding["level"] == ERROR],
        "warnings": [finding for finding in told if finding["level"] == WARNING],
        "counts": counts,
    }
