"""deploy/: the steps of the Dockerfile name files, packages and options that exist."""

import json
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from reidops.command import main

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text().replace("\\\n", " ")
NOT_NEEDED = ("torch", "timm", "dvc", "prefect", "great_expectations", "motmetrics", "trackeval", "onnx", "safetensors")


def instructions(name: str) -> list[str]:
    return re.findall(rf"^{name} (.*)$", DOCKERFILE, re.MULTILINE)


def names(path: Path, separator: str) -> set[str]:
    lines = [line.split("#")[0].strip() for line in path.read_text().splitlines()]
    return {line.split(separator)[0].strip().lower() for line in lines if line and not line.startswith("-")}


def test_every_copied_path_exists():
    copied = [source for line in instructions("COPY") for source in line.split()[:-1]]
    assert copied and all((ROOT / source).exists() for source in copied)


def test_every_requirement_has_a_tested_version():
    required = names(ROOT / "deploy" / "requirements.txt", "==")
    headless = {"opencv-python-headless"}  # of the version of opencv-python
    known = names(ROOT / "constraints.txt", "==")
    assert required - headless <= known
    assert not {"torch", "timm", "opencv-python", "mlflow"} & required


def test_the_command_starts_the_service_with_options_that_exist():
    command = json.loads(instructions("CMD")[-1])
    assert command[:2] == ["reidops", "serve"]
    serve = main.get_command(click.Context(main), "serve")
    context = serve.make_context("serve", command[2:])
    assert (context.params["host"], context.params["port"]) == ("0.0.0.0", 8000)
    assert instructions("EXPOSE") == ["8000"]


def test_the_service_does_not_run_as_root():
    assert instructions("USER") == ["reidops"]


@pytest.mark.slow
def test_the_service_is_imported_without_packages_that_the_image_lacks():
    code = f"import sys; [sys.modules.__setitem__(n, None) for n in {NOT_NEEDED}]; import reidops.service.server"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
