"""The section of a model card about the drift reference."""

from pathlib import Path

import numpy as np

from reidops.drift.reference import REFERENCE, read_reference
from reidops.drift.statistics import DISTANCES, SCALARS
from reidops.registry import card_page as html


def drift_html(reid: Path) -> str:
    """Return the mean and the spread of each statistic over the units of the reference; "" if there is none."""
    if not (reid / REFERENCE).is_file():
        return ""
    reference = read_reference(reid / REFERENCE)
    rows = []
    for name, meaning in (SCALARS | DISTANCES).items():
        values = reference.statistics[name][np.isfinite(reference.statistics[name])]
        if len(values) > 1:
            spread = f"{values.mean():.4g} ± {values.std(ddof=1):.2g}"
            rows.append((name.replace("_", " "), spread, f"{values.min():.4g} … {values.max():.4g}", meaning))
    units = f"{len(reference.units)} {reference.kind}: {', '.join(reference.units)}"
    note = html.text(f"What `reidops drift` compares new scenes with. Means and standard deviations over {units}.")
    return note + html.table(("statistic", "mean ± deviation", "range", "meaning"), rows)
