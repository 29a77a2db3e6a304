"""deploy/compose.yaml names files, commands and variables that exist, and opens no port to other hosts."""

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from reidops.params import check_all, read_sections
from stages.params import SECTIONS

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
TEXT = (DEPLOY / "compose.yaml").read_text()
SERVICES = yaml.safe_load(TEXT)["services"]


def trial_module():
    spec = importlib.util.spec_from_file_location("team_trial", DEPLOY / "team_trial.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["team_trial"] = module
    spec.loader.exec_module(module)
    return module


def test_every_variable_without_a_default_is_in_the_example():
    used = set(re.findall(r"\$\{([A-Z0-9_]+)", TEXT))
    listed = {line.split("=")[0] for line in (DEPLOY / "team.env.example").read_text().splitlines() if "=" in line}
    assert used == listed
    assert "/deploy/team.env" in (ROOT / ".gitignore").read_text().splitlines()


def test_ports_are_those_of_this_host_only_and_images_have_a_version():
    ports = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert ports and all(port.startswith("127.0.0.1:") for port in ports)
    images = {service["image"] for service in SERVICES.values()} - {"reidops-team"}
    assert images and all(re.search(r":\d", image) for image in images)


def test_files_and_modules_that_are_named_exist():
    copied = re.findall(r"^COPY (.*) \S+$", (DEPLOY / "team.Dockerfile").read_text(), re.MULTILINE)
    assert all((ROOT / source).exists() for line in copied for source in line.split())
    assert (DEPLOY / SERVICES["postgres"]["volumes"][1].split(":")[0]).is_file()
    assert (ROOT / SERVICES["buckets"]["command"][1]).is_file()
    assert "python -m flows.automations" in SERVICES["worker"]["command"] and (ROOT / "flows/automations.py").is_file()
    pool = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"][0]["work_pool"]["name"]
    assert f"--pool {pool}" in SERVICES["worker"]["command"]
    databases = set(re.findall(r"@postgres/(\w+)", TEXT))
    assert databases == set(re.findall(r"CREATE DATABASE (\w+)", (DEPLOY / "databases.sql").read_text()))
    assert all(need in SERVICES for service in SERVICES.values() for need in service.get("depends_on", ()))


def test_the_params_of_the_trial_are_valid(tmp_path):
    path = tmp_path / "params.yaml"
    shutil.copy(ROOT / "params.yaml", path)
    trial_module().change_params(path)
    changed = read_sections(path)
    assert set(check_all(SECTIONS, path)) == set(SECTIONS)
    assert changed["download"]["synthetic"]["scenes"] == 3 and changed["train"]["epochs"] == 2


@pytest.mark.slow
@pytest.mark.timeout(1100)
def test_the_servers_of_a_team_work_together(tmp_path):
    """PostgreSQL, S3, MLflow, Prefect and a worker; a fresh clone runs nothing again. Minutes."""
    trial = trial_module()
    missing = trial.find_missing("moto_server")
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)} (deploy/team_trial.py says how)")
    command = [sys.executable, str(DEPLOY / "team_trial.py"), "--folder", str(tmp_path / "trial")]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "a fresh clone ran: store" in ran.stdout and "as trained: True" in ran.stdout
