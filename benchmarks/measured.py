"""Format measurements as a Markdown table."""

from dataclasses import asdict, dataclass

import pandas as pd


@dataclass(frozen=True)
class Measured:
    """A measurement: the work, the goal, the result, and whether it meets the goal (None = no goal)."""

    work: str
    goal: str
    measured: str
    met: bool | None = None


def format_measured(rows: list[Measured]) -> str:
    """Return the lines as a Markdown table."""
    table = pd.DataFrame([asdict(row) for row in rows])
    table["met"] = table["met"].map({True: "yes", False: "NO"}).fillna("")
    lines = [list(table.columns), ["---"] * table.shape[1], *table.to_numpy().tolist()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
