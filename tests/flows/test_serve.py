"""The schedule: one place, and a server that can keep it."""

import asyncio
from pathlib import Path

import pytest
import yaml
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import ConcurrencyLimitStrategy

from flows.deployments import ENTRYPOINTS, read_deployments
from flows.retrain import retrain
from flows.serve import FLOWS, runner_deployment

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]


def test_schedules_and_flows_come_from_prefect_yaml(root: Path):
    deployments = read_deployments(root / "prefect.yaml")
    entries = yaml.safe_load((root / "prefect.yaml").read_text())["deployments"]
    assert [one.name for one in deployments] == [entry["name"] for entry in entries]
    assert [one.entrypoint for one in deployments] == list(ENTRYPOINTS)
    for deployment, entry in zip(deployments, entries, strict=True):
        assert [row.schedule.cron for row in deployment.schedules] == [row["cron"] for row in entry["schedules"]]
        file, name = deployment.entrypoint.split(":")
        assert (root / file).is_file() and runner_deployment(deployment).flow_name == FLOWS[deployment.entrypoint].name
        assert FLOWS[deployment.entrypoint].fn.__name__ == name
    assert deployments[0].limit.limit == 1
    assert deployments[0].limit.collision_strategy is ConcurrencyLimitStrategy.CANCEL_NEW


def test_a_deployment_gets_its_runs_from_the_scheduler(root: Path):
    """Prefect writes due runs by a bulk insert that not every SQLAlchemy can do; then nothing would ever run, in
    silence.
    """

    async def due_runs() -> list[object]:
        async with get_client() as client:
            flow_id = await client.create_flow(retrain)
            schedules = read_deployments(root / "prefect.yaml")[0].schedules
            deployment_id = await client.create_deployment(flow_id, "nightly", schedules=schedules)
            response = await client.request(
                "POST", "/deployments/{id}/schedule", path_params={"id": deployment_id}, json={"min_runs": 2}
            )
            response.raise_for_status()
            return await client.read_flow_runs()

    assert len([run for run in asyncio.run(due_runs()) if run.deployment_id]) >= 2
