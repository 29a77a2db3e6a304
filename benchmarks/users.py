"""Two `dvc repro`, a flow and a UI in one repository at once: a trial of benchmarks/conditions.py."""

import sys
from collections.abc import Iterator
from pathlib import Path

import yaml
from clones import Clone, Row, copied

FORCED = ("evaluate_tracking.min_confidence", 0.35)
UI = ("mlflow", "ui", "--backend-store-uri", "sqlite:///mlflow.db", "--port", "0", "--workers", "1")


def try_users_at_once(base: Clone, folder: Path) -> Iterator[Row]:
    """Yield a row: what each of them came to after a param changed, and whether the end is that of one run alone."""
    with copied(base, folder) as clone:
        _change_param(clone)
        commands = {
            "first `dvc repro`": ("dvc", "repro"),
            "second `dvc repro`": ("dvc", "repro"),
            "flow": ("flows.retrain",),
        }
        viewer = clone.start([sys.executable, "-m", *UI])
        users = {name: clone.start([sys.executable, "-m", *command]) for name, command in commands.items()}
        texts = {name: process.communicate()[0] for name, process in users.items()}
        viewer.terminate()
        viewer.communicate()
        clone.reproduce()
        together = clone.outs()
    with copied(base, folder) as clone:
        _change_param(clone)
        clone.reproduce()
        same = clone.outs() == together
    ends = [f"{name}: {_end(users[name].returncode, texts[name])}" for name in commands]
    found = f"{'; '.join(ends)}; then the outputs of one run alone: {'yes' if same else 'NO'}"
    yield Row("two `dvc repro`, a flow and an MLflow UI at once", found, same and "Traceback" not in str(texts))


def _end(code: int, text: str) -> str:
    locked = next((line for line in text.splitlines() if "lock" in line.lower() or "busy" in line), "")
    return "finished" if code == 0 else f"refused ({(locked or text.strip().splitlines()[-1])[:140]})"


def _change_param(clone: Clone) -> None:
    """Change a param that only tracking and what follows depends on."""
    (section, name), value = FORCED[0].split("."), FORCED[1]
    file = clone.folder / "params.yaml"
    params = yaml.safe_load(file.read_text())
    params[section][name] = value
    file.write_text(yaml.safe_dump(params, sort_keys=False))
