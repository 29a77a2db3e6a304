"""Try the set-up of docs/team.md on this machine: servers, a scheduled run, and a fresh clone that runs nothing again.

It starts PostgreSQL, an S3 server (moto), MLflow and Prefect on PostgreSQL, and a worker, each on a free port with its
files in a temporary folder. The worker runs the pipeline on a small drawn data set. The result is pushed to the S3
remote, and dvc.lock is committed. In a fresh clone `dvc repro --pull` runs no stage but `store`, and the champion is
downloaded from the registry.

    pip install '.[pipeline,team]' 'moto[server]'       # and PostgreSQL: apt-get install postgresql
    python deploy/team_trial.py --folder /tmp/team-trial
"""

import argparse
import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import yaml

from reidops.params import read_sections
from reidops.recipes import overlay
from reidops.repository import load_sections

ROOT = Path(__file__).resolve().parents[1]
KEYS = {"AWS_ACCESS_KEY_ID": "team", "AWS_SECRET_ACCESS_KEY": "team-secret", "AWS_DEFAULT_REGION": "us-east-1"}
HOST = "127.0.0.1"
STARTUP_SECONDS, RUN_SECONDS = 600, 2400
SMALL = ROOT / "deploy" / "small_params.yaml"


def main() -> None:
    """Run the trial; exit 1 with the step that failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="an empty folder for all files")
    parser.add_argument("--moto", default=shutil.which("moto_server") or "moto_server", help="command of the S3 server")
    options = parser.parse_args()
    missing = find_missing(options.moto)
    if missing:
        sys.exit(f"team_trial: {', '.join(missing)} not found; see the first lines of {__file__}")
    options.folder.mkdir(parents=True)
    with ExitStack() as stack:
        run_trial(options.folder.resolve(), options.moto, stack)


def find_missing(moto: str) -> list[str]:
    """Return the names of the programs and packages that the trial needs and this machine lacks."""
    programs = [name for name in ("git", "initdb", "pg_ctl", moto) if _find(name) is None]
    packages = [name for name in ("dvc_s3", "boto3", "psycopg2", "asyncpg") if not _can_import(name)]
    return programs + packages


def _find(program: str) -> str | None:
    """Return the path of a program; Debian keeps those of PostgreSQL out of PATH."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return shutil.which(program, path=os.pathsep.join([os.environ.get("PATH", ""), *map(str, places)]))


def _can_import(package: str) -> bool:
    return subprocess.run([sys.executable, "-c", f"import {package}"], capture_output=True).returncode == 0


def run_trial(folder: Path, moto: str, stack: ExitStack) -> None:
    """Start all servers, run the flow in one clone, and use its result in another."""
    servers = start_servers(folder, moto, stack)
    say("servers", f"{servers.mlflow}, {servers.prefect}, S3 at {servers.s3}, PostgreSQL at port {servers.postgres}")
    environment = servers.environment(folder)
    first = clone(ROOT, folder / "first", servers.s3, environment)
    stack.enter_context(worker(first, environment, folder / "worker.log"))
    state = run_deployment(servers.prefect)
    say("scheduled run", state)
    expect(state == "COMPLETED", f"the run ended {state}; see {folder / 'worker.log'}")
    share(first, environment)
    second = clone(first, folder / "second", servers.s3, environment)
    dvc = [sys.executable, "-m", "dvc"]
    ran = output([*dvc, "repro", "--pull"], second, environment)
    stages = [line.split("'")[1] for line in ran.splitlines() if line.startswith("Running stage")]
    say("dvc repro --pull in a fresh clone ran", ", ".join(stages))
    expect(stages == ["store"], f"expected only store\n{ran}")
    use_champion(first, second, environment)


@dataclass(frozen=True)
class Servers:
    """Addresses of the servers."""

    postgres: int
    s3: str
    mlflow: str
    prefect: str

    def environment(self, folder: Path) -> dict[str, str]:
        """Return the environment variables of a person or a worker of the team."""
        own = {"PREFECT_API_URL": f"{self.prefect}/api", "MLFLOW_TRACKING_URI": self.mlflow, "GIT_CONFIG_COUNT": "0"}
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        quiet = {"PREFECT_HOME": str(folder / "prefect"), "PATH": path, "OMP_NUM_THREADS": "1"}
        kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "DVC_STAGE")}
        return kept | KEYS | own | quiet


def start_servers(folder: Path, moto: str, stack: ExitStack) -> Servers:
    """Start PostgreSQL, the S3 server, MLflow and Prefect; the stack stops them."""
    port = stack.enter_context(postgres(folder / "postgres"))
    environment = {**os.environ, **KEYS, "PREFECT_HOME": str(folder / "prefect")}
    s3_port, mlflow_port, prefect_port = free_port(), free_port(), free_port()
    s3 = f"http://{HOST}:{s3_port}"
    stack.enter_context(
        server([moto, "-H", HOST, "-p", str(s3_port)], f"{s3}/moto-api/", folder / "s3.log", environment)
    )
    output([sys.executable, str(ROOT / "deploy" / "buckets.py"), s3, "dvc", "mlflow"], folder, environment)
    environment |= {
        "MLFLOW_S3_ENDPOINT_URL": s3,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"postgresql+asyncpg://team@{HOST}:{port}/prefect",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    }
    mlflow = [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(mlflow_port), "--workers", "1"]
    mlflow += ["--backend-store-uri", f"postgresql://team@{HOST}:{port}/mlflow"]
    mlflow += ["--artifacts-destination", "s3://mlflow"]
    prefect = [sys.executable, "-m", "prefect", "server", "start", "--host", HOST, "--port", str(prefect_port)]
    addresses = Servers(port, s3, f"http://{HOST}:{mlflow_port}", f"http://{HOST}:{prefect_port}")
    stack.enter_context(server(mlflow, f"{addresses.mlflow}/health", folder / "mlflow.log", environment))
    stack.enter_context(server(prefect, f"{addresses.prefect}/api/health", folder / "prefect.log", environment))
    return addresses


@contextmanager
def postgres(folder: Path) -> Iterator[int]:
    """Yield the port of a PostgreSQL server with the databases mlflow and prefect; it refuses to run as root."""
    folder.mkdir()
    as_user: list[str] = []
    if os.getuid() == 0:
        account = pwd.getpwnam("postgres")
        os.chown(folder, account.pw_uid, account.pw_gid)
        as_user = ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
    port, data = free_port(), folder / "data"
    initdb, pg_ctl = str(_find("initdb")), str(_find("pg_ctl"))
    quiet = {"check": True, "cwd": folder, "stdout": subprocess.DEVNULL}
    subprocess.run([*as_user, initdb, "-D", str(data), "-U", "team", "--auth=trust"], **quiet)
    listen = f"-p {port} -h {HOST} -k {folder}"
    subprocess.run([*as_user, pg_ctl, "-D", str(data), "-l", str(folder / "log"), "-w", "-o", listen, "start"], **quiet)
    try:
        for name in ("mlflow", "prefect"):
            psql = [str(_find("psql")), "-h", HOST, "-p", str(port), "-U", "team", "-d", "postgres"]
            subprocess.run([*psql, "-c", f"CREATE DATABASE {name}"], **quiet)
        yield port
    finally:
        subprocess.run([*as_user, pg_ctl, "-D", str(data), "-m", "fast", "stop"], **quiet)


@contextmanager
def server(command: Sequence[str], health: str, log: Path, environment: dict[str, str]) -> Iterator[None]:
    """Run a server for the block; it starts when it answers at `health`."""
    with log.open("w") as file:
        process = subprocess.Popen(command, env=environment, stdout=file, stderr=file, cwd=log.parent)
    try:
        wait_until(lambda: answers(health), STARTUP_SECONDS, f"{command[0]} answers at {health}; see {log}", process)
        yield
    finally:
        stop(process)


def clone(source: Path, target: Path, s3: str, environment: dict[str, str]) -> Path:
    """Return a clone with small params and the S3 remote, both committed."""
    output(["git", "clone", "--quiet", str(source), str(target)], source, environment)
    dvc = [sys.executable, "-m", "dvc"]
    output([*dvc, "config", "cache.dir", str(target.parent / f"cache-{target.name}")], target, environment)
    if source == ROOT:
        change_params(target / "params.yaml")
        output([*dvc, "remote", "add", "--default", "team", "s3://dvc/cache"], target, environment)
        output([*dvc, "remote", "modify", "team", "endpointurl", s3], target, environment)
        commit(target, ["params.yaml", ".dvc/config"], "Use the team's remote", environment)
    return target


def change_params(path: Path) -> None:
    """Write the values of small_params.yaml into params.yaml."""
    sections = overlay(read_sections(path), read_sections(SMALL), load_sections(ROOT), SMALL)
    path.write_text(yaml.safe_dump(sections, sort_keys=False))


@contextmanager
def worker(folder: Path, environment: dict[str, str], log: Path) -> Iterator[None]:
    """Deploy prefect.yaml, write the automations and run a worker for the block."""
    prefect = [sys.executable, "-m", "prefect"]
    environment = environment | {"PWD": str(folder)}  # prefect.yaml names the folder by $PWD
    output([*prefect, "work-pool", "create", "local-process", "--type", "process"], folder, environment)
    output([*prefect, "--no-prompt", "deploy", "--all"], folder, environment)
    output([sys.executable, "-m", "flows.automations"], folder, environment)
    command = [*prefect, "worker", "start", "--pool", "local-process"]
    with log.open("w") as file:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=file, stderr=file)
    try:
        yield
    finally:
        stop(process)


def stop(process: subprocess.Popen) -> None:
    """End a process; kill it if it does not end by itself in two minutes."""
    process.terminate()
    try:
        process.wait(120)
    except subprocess.TimeoutExpired:
        process.kill()


def run_deployment(prefect: str) -> str:
    """Run the deployment `nightly` now and return the state in which it ended."""
    deployment = ask(f"{prefect}/api/deployments/name/retrain/nightly")["id"]
    run = ask(f"{prefect}/api/deployments/{deployment}/create_flow_run", {})["id"]
    ended = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
    place = f"{prefect}/api/flow_runs/{run}"
    wait_until(lambda: state_of(place) in ended, RUN_SECONDS, "the run ends")
    return str(state_of(place))


def state_of(place: str) -> str | None:
    """Return the type of a run's state; None if the server is too busy to answer."""
    try:
        return str(ask(place)["state"]["type"])
    except OSError:
        return None


def share(folder: Path, environment: dict[str, str]) -> None:
    """Push the data of the last run, and commit what names them."""
    output([sys.executable, "-m", "dvc", "push"], folder, environment)
    commit(folder, ["dvc.lock", "data/registration"], "Keep the result of the nightly run", environment)


def commit(folder: Path, paths: Sequence[str], subject: str, environment: dict[str, str]) -> None:
    """Commit files; `data/registration` is ignored in a repository without a remote, so that it is added by force."""
    person = ["-c", "user.name=team", "-c", "user.email=team@localhost"]
    output(["git", "add", "--force", *paths], folder, environment)
    output(["git", *person, "commit", "--quiet", "--message", subject], folder, environment)


def use_champion(first: Path, second: Path, environment: dict[str, str]) -> None:
    """Download the champion in the second clone and compare its weights with those that the first one trained."""
    model = second / "champion"
    reidops = [sys.executable, "-m", "reidops"]
    output([*reidops, "pull", "models:/person-reid@champion", "--output", str(model)], second, environment)
    folders = first / "data" / "model", model / "artifacts" / "embedder"
    digests = [sha256((folder / "model.safetensors").read_bytes()).hexdigest() for folder in folders]
    say("champion", f"model.safetensors {digests[1][:12]}, as trained: {digests[0] == digests[1]}")
    expect(digests[0] == digests[1], "the champion is not the trained model")


def output(command: Sequence[str], folder: Path, environment: dict[str, str]) -> str:
    """Return the output of a command; exit with its last lines if it fails."""
    here = environment | {"PWD": str(folder)}
    ran = subprocess.run(command, cwd=folder, env=here, capture_output=True, text=True)
    expect(ran.returncode == 0, f"{' '.join(command)} failed in {folder}:\n{(ran.stdout + ran.stderr)[-3000:]}")
    return ran.stdout


def ask(url: str, body: object | None = None) -> dict:
    """Return the JSON answer of a GET, or of a POST with a body."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def answers(url: str) -> bool:
    """Return whether a server answers with a status of success."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status < 300
    except OSError:
        return False


def wait_until(is_true: Callable[[], bool], seconds: float, what: str, process: subprocess.Popen | None = None) -> None:
    """Wait for a condition; exit if it does not come true in time or the process ends."""
    deadline = time.monotonic() + seconds
    while not is_true():
        ended = process is not None and process.poll() is not None
        expect(not ended and time.monotonic() < deadline, f"it did not happen that {what}")
        time.sleep(0.5)


def free_port() -> int:
    """Return a port that no server uses."""
    with socket.socket() as found:
        found.bind((HOST, 0))
        return found.getsockname()[1]


def say(step: str, found: str) -> None:
    """Print a step and what was found."""
    print(f"{time.strftime('%H:%M:%S')} {step}: {found}", flush=True)


def expect(holds: bool, message: str) -> None:
    """Exit 1 with a message unless a condition holds."""
    if not holds:
        sys.exit(f"team_trial: {message}")


if __name__ == "__main__":
    main()
