"""Findings of the validation: errors stop the pipeline, warnings are only reported."""

from dataclasses import asdict, dataclass
from typing import Any

ERROR, WARNING = "error", "warning"
NUM_PLACES = 5


@dataclass(frozen=True)
class Finding:
    """One expectation that was not met.

    `places` holds the first failing rows, each as "file: line 17: width is -3"; `count` is the number of failing rows.
    """

    level: str
    suite: str
    expectation: str
    because: str
    remedy: str
    places: tuple[str, ...]
    count: int

    def message(self) -> str:
        """Return the finding as lines of text: the level, the expectation, the places and the remedy."""
        more = self.count - len(self.places)
        rest = [f"  … and {more:,} more"] if more > 0 else []
        lines = [
            f"{self.level} in {self.suite}: expected that {self.expectation}",
            *(f"  {place}" for place in self.places),
            *rest,
        ]
        return "\n".join([*lines, f"  To do: {self.remedy}"])


def make_report(findings: list[Finding], counts: dict[str, Any]) -> dict[str, Any]:
    """Return the content of report.json, without time stamps and ids because later stages depend on its bytes."""
    records = [asdict(finding) for finding in findings]
    return {
        "passed": not any(finding.level == ERROR for finding in findings),
        "errors": [record for record in records if record["level"] == ERROR],
        "warnings": [record for record in records if record["level"] == WARNING],
        "counts": counts,
    }
