"""Compare new sequences with the champion's drift reference, and retrain on drift: `python -m flows.drift NEW…`.

`retrain` trains on the data that params.yaml names, so add the new data there before the schedule runs this flow.
"""

import argparse
import sys
from pathlib import Path

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.states import Completed, Failed, State

from flows.notifications import Notification, send_notification
from flows.prefect_api import check_named_server
from flows.retrain import retrain
from reidops.drift.check import check_drift
from reidops.drift.comparison import ALPHA, Comparison
from reidops.drift.report import REPORT_HTML, describe
from reidops.errors import ReidopsError

CHAMPION = "models:/person-reid@champion"
EXPERIMENT = "drift"


@task(task_run_name="compare", cache_policy=NO_CACHE, persist_result=False)
def compare_with_reference(sequences: list[str], model: str, output: Path, alpha: float) -> Comparison:
    """Return the comparison of sequences with a model's reference; the report is written and logged."""
    return check_drift([Path(one) for one in sequences], model, output, alpha=alpha, experiment=EXPERIMENT)


@flow(name="drift", persist_result=False)
def drift(
    sequences: list[str],
    model: str = CHAMPION,
    folder: str = ".",
    output: str = "data/drift",
    alpha: float = ALPHA,
    start_retrain: bool = True,
    notify: str = "",
) -> State:
    """Compare `sequences` with the reference of `model`; on drift run the flow `retrain` in `folder`.

    Args:
        sequences: folders of sequences or data sets in MOTChallenge's layout with det/det.txt.
        output: folder of the report, relative to `folder`.
        alpha: probability of a false alarm.
        start_retrain: whether drift starts `retrain`.
        notify: webhook or notification block that gets drift, failures and promotions; see `flows.notifications`.
    """
    root = Path(folder).resolve()
    try:
        comparison = compare_with_reference(sequences, model, root / output, alpha)
    except ReidopsError as error:
        send_notification(notify, Notification("failure", f"{root.name}: drift failed", str(error)))
        raise
    write_artifacts(comparison, root / output)
    if comparison.is_drift:
        send_notification(notify, Notification("drift", f"{root.name}: drift against {model}", describe(comparison)))
    if not (comparison.is_drift and start_retrain):
        return Completed(message=describe(comparison))
    state = retrain(str(root), notify, return_state=True)
    if state.is_cancelled():
        return Completed(message=f"{describe(comparison)}; {state.message}")
    if not state.is_completed():
        return Failed(message=f"{describe(comparison)}; retrain failed: {state.message}")
    return Completed(message=f"{describe(comparison)}; retrain has run")


def write_artifacts(comparison: Comparison, report: Path) -> None:
    """Write the result and the table of all statistics as artifacts for the Prefect UI."""
    rows = [
        {
            "statistic": finding.name,
            "new": f"{finding.value:.4g}",
            "reference": f"{finding.reference_mean:.4g} ± {finding.reference_std:.2g}",
            "p": f"{finding.p_value:.2g}",
            "drift": "yes" if finding.is_drift else "",
        }
        for finding in comparison.findings
    ]
    create_table_artifact(table=rows, key="drift", description=describe(comparison))
    create_markdown_artifact(f"{describe(comparison)}: `{report / REPORT_HTML}`", key="drift-report")


def main() -> None:
    """Run the flow in this process; exit 1 with the message if it failed."""
    parser = argparse.ArgumentParser(prog="python -m flows.drift", description=__doc__)
    parser.add_argument("sequences", nargs="+", help="folders of sequences or data sets with det/det.txt")
    parser.add_argument("--model", default=CHAMPION)
    parser.add_argument("--notify", default="", help="webhook or notification block")
    parser.add_argument("--no-retrain", action="store_true", help="only report")
    options = parser.parse_args()
    try:
        check_named_server()
    except ReidopsError as error:
        print(f"drift: error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    chosen = {"start_retrain": not options.no_retrain, "notify": options.notify}
    state = drift(options.sequences, options.model, **chosen, return_state=True)
    print(state.message)
    if not state.is_completed():
        sys.exit(1)


if __name__ == "__main__":
    main()
