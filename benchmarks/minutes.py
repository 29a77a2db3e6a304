"""Plot held-out mAP over the minutes of a training, from its live run in MLflow.

python benchmarks/minutes.py [--store sqlite:///mlflow.db] [--experiment reidops] [--output docs/minutes.png]

The newest finished training of the experiment is used. Minutes count from the start of the stage's run, including
decoding. mAP is that of the held-out training people on whom the checkpoint is chosen, not of the test people.
"""

import argparse
from pathlib import Path

import mlflow
import pandas as pd
from matplotlib.figure import Figure


def newest_training(client: mlflow.MlflowClient, experiment: str) -> mlflow.entities.Run:
    """Return the newest finished training with held-out scores."""
    found = client.get_experiment_by_name(experiment)
    if found is None:
        raise SystemExit(f"there is no experiment {experiment}; train first, with train.track: {experiment}")
    # The runs of results hold the same curves, but without their times; only those of trainings have the tag.
    wanted = "tags.training != '' and attributes.status = 'FINISHED'"
    runs = client.search_runs([found.experiment_id], wanted, order_by=["attributes.start_time DESC"])
    trainings = [run for run in runs if "train/val_mAP" in run.data.metrics]
    if not trainings:
        raise SystemExit(f"no run of {experiment} has held-out figures; train first")
    return trainings[0]


def read_curve(client: mlflow.MlflowClient, run: mlflow.entities.Run) -> pd.DataFrame:
    """Return minutes, mAP and rank1 of every evaluated epoch."""
    histories = {name: client.get_metric_history(run.info.run_id, f"train/val_{name}") for name in ("mAP", "rank1")}
    minutes = [(point.timestamp - run.info.start_time) / 60_000 for point in histories["mAP"]]
    return pd.DataFrame(
        {"minutes": minutes, **{name: [point.value for point in points] for name, points in histories.items()}}
    )


def draw(curve: pd.DataFrame, title: str, path: Path) -> None:
    """Draw mAP and rank1 over minutes."""
    figure = Figure(figsize=(7.5, 4.2), layout="constrained")
    axes = figure.add_subplot()
    for name, colour in (("rank1", "#c8741a"), ("mAP", "#1f5fa8")):
        axes.plot(curve["minutes"], curve[name], marker="o", markersize=4, color=colour, label=name)
        axes.annotate(
            f"{curve[name].iloc[-1]:.3f}",
            (curve["minutes"].iloc[-1], curve[name].iloc[-1]),
            (4, 4),
            textcoords="offset points",
        )
    axes.set(xlabel="minutes of training", ylabel="held-out people", ylim=(0, 1), xlim=(0, None), title=title)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    figure.savefig(path, dpi=110)


def main() -> None:
    """Draw the curve and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", default="sqlite:///mlflow.db")
    parser.add_argument("--experiment", default="reidops")
    parser.add_argument("--output", type=Path, default=Path("docs/minutes.png"))
    arguments = parser.parse_args()
    client = mlflow.MlflowClient(arguments.store)
    run = newest_training(client, arguments.experiment)
    curve = read_curve(client, run)
    sizes = run.data.params.get("train.early_sizes", "")
    draw(curve, f"{run.data.params.get('train.backbone', '')}, two cores, no GPU", arguments.output)
    print(f"run {run.info.run_name}, early sizes {sizes}")
    print(curve.round(3).to_string(index=False))


if __name__ == "__main__":
    main()
