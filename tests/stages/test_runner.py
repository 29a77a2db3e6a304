"""stages/__init__.py: every stage is usable alone, and what a user can cause comes without a traceback."""

import importlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import stages
from stages.params import SECTIONS

pytestmark = pytest.mark.slow

STAGE = '''"""Reads nothing."""
from pathlib import Path
import stages
from reidops.errors import ReidopsError
from stages import run_stage
from stages.embed import EmbedParams

def embed(raw: Path, params: EmbedParams) -> None:
    {body}

run_stage(embed)
'''


def run(root: Path, folder: Path, body: str, *arguments: str) -> subprocess.CompletedProcess:
    script = folder / "script.py"
    script.write_text(STAGE.format(body=body))
    command = [
        sys.executable,
        str(script),
        *(arguments or ("--raw", "data/raw", "--params", str(root / "params.yaml"))),
    ]
    return subprocess.run(
        command, cwd=folder, env=os.environ | {"PYTHONPATH": str(root)}, capture_output=True, text=True
    )


@pytest.mark.parametrize("name", SECTIONS)
def test_the_help_of_every_stage_says_what_it_reads_and_writes(name):
    stage = getattr(importlib.import_module(f"stages.{name}"), name)
    page = stages._parser(stage).format_help()
    assert "--params" in page and "Reads" in page and "Writes" in page


def test_a_fault_in_the_params_is_told_before_a_stage_imports_torch(root, tmp_path):
    (tmp_path / "torch.py").write_text("raise SystemExit('torch is imported')\n")
    text = (root / "params.yaml").read_text().replace("  epochs:", "  epoch:")
    (tmp_path / "params.yaml").write_text(text)
    command = [sys.executable, "-m", "stages.train", "--params", str(tmp_path / "params.yaml")]
    env = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{root}"}
    ended = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True)
    assert ended.returncode == 1 and ended.stderr.startswith("train: error: ")
    assert "train.epoch is unknown; did you mean `epochs`" in ended.stderr


def test_what_a_user_can_cause_is_one_message_and_no_traceback(root, tmp_path):
    ended = run(root, tmp_path, "raise ReidopsError(f'{raw}: is empty')")
    assert ended.returncode == 1
    assert ended.stderr == "embed: error: data/raw: is empty\n"


def test_a_fault_in_another_stages_params_stops_every_stage(root, tmp_path):
    text = (root / "params.yaml").read_text().replace("  epochs:", "  epoch:")
    (tmp_path / "params.yaml").write_text(text)
    ended = run(root, tmp_path, "print('ran')", "--raw", "data/raw", "--params", "params.yaml")
    assert ended.returncode == 1 and "ran" not in ended.stdout
    assert "train.epoch is unknown; did you mean `epochs`" in ended.stderr


def test_an_interrupt_ends_by_the_signal_and_says_how_to_go_on(root, tmp_path):
    ended = run(root, tmp_path, "raise KeyboardInterrupt")
    assert ended.returncode == -signal.SIGINT
    assert "dvc repro" in ended.stderr and "Traceback" not in ended.stderr


def test_an_interrupt_while_a_stage_still_imports_leaves_no_traceback(root, tmp_path):
    (tmp_path / "pandas.py").write_text("import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(5)\n")
    env = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{root}"}
    ended = subprocess.run(
        [sys.executable, "-m", "stages.convert", "--help"], cwd=root, env=env, capture_output=True, text=True
    )
    assert ended.returncode == -signal.SIGINT and ended.stderr == ""


def test_a_stage_looks_for_garbage_again_when_it_runs(root, tmp_path):
    ended = run(root, tmp_path, "import gc; print(gc.isenabled(), gc.get_freeze_count() > 10_000)")
    assert ended.stdout.split() == ["True", "True"], ended.stderr


def test_a_stage_that_imports_everything_ends_without_a_list_of_what_is_left(root):
    command = [sys.executable, "-m", "stages.train", "--help"]
    ended = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert ended.returncode == 0 and ended.stderr == ""


@pytest.mark.parametrize(
    ("wanted", "own", "settings"), [(True, None, "tcache_count=0"), (False, None, "none"), (True, "user", "user")]
)
def test_a_stage_that_recomputes_activations_starts_again_with_settings_against_gaps(
    root, tmp_path, wanted, own, settings
):
    (tmp_path / "torch.py").write_text("import os\nraise SystemExit(os.environ.get('GLIBC_TUNABLES', 'none'))\n")
    text = (root / "params.yaml").read_text()
    changed = text.replace("checkpoint_activations: false", "checkpoint_activations: true") if wanted else text
    (tmp_path / "params.yaml").write_text(changed)
    env = {name: value for name, value in os.environ.items() if name != "GLIBC_TUNABLES"}
    env |= {"PYTHONPATH": f"{tmp_path}{os.pathsep}{root}"} | ({"GLIBC_TUNABLES": own} if own else {})
    command = [sys.executable, "-m", "stages.train", "--params", str(tmp_path / "params.yaml")]
    ended = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True)
    assert ended.returncode == 1 and settings in ended.stderr
