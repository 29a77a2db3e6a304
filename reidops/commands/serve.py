"""The command `reidops serve`."""

from pathlib import Path
from typing import Any

import click

from reidops.commands.options import FOLDER
from reidops.commands.stderr_log import log_to_stderr
from reidops.service.sampling import SampleSettings
from reidops.service.server import serve as run_service
from reidops.service.settings import ServiceSettings


@click.command()
@click.option("--model", default="models:/person-reid@champion", help="models:/NAME@ALIAS, or a folder of `export`.")
@click.option("--host", default="127.0.0.1", help="Address to listen on; 0.0.0.0 = all.")
@click.option("--port", type=click.IntRange(1, 65535), default=8000)
@click.option("--threads", type=click.IntRange(0), default=0, help="Threads of the network; 0 = one per core.")
@click.option("--max-body-mb", type=click.IntRange(1), default=32, help="Largest body of a request.")
@click.option("--max-pictures", type=click.IntRange(1), default=256, help="Most pictures or boxes of a request.")
@click.option("--max-pixels", type=click.IntRange(1), default=100_000_000, help="Most pixels of a request's pictures.")
@click.option(
    "--request-seconds", type=click.FloatRange(0, min_open=True), default=30.0, help="Most time of a request."
)
@click.option("--max-sessions", type=click.IntRange(1), default=64, help="Most cameras that are tracked at once.")
@click.option("--session-seconds", type=click.FloatRange(0, min_open=True), default=300.0, help="Silence of a camera.")
@click.option("--reload-seconds", type=click.FloatRange(0, min_open=True), default=10.0, help="Time between reloads.")
@click.option("--sample-log", type=FOLDER, help="Folder for samples of the tracked frames, which `drift` reads.")
@click.option(
    "--sample-rate", type=click.FloatRange(0, 1, min_open=True), default=0.01, help="Share of frames sampled."
)
@click.option("--sample-mb", type=click.IntRange(1), default=100, help="Largest size of the log; the oldest go first.")
def serve(
    model: str,
    host: str,
    port: int,
    threads: int,
    max_body_mb: int,
    sample_log: Path | None,
    sample_rate: float,
    sample_mb: int,
    **limits: Any,
) -> None:
    """Answer embeddings of pictures and tracks of cameras over HTTP.

    POST /embed, POST and DELETE /track/CAMERA, GET /health and /metrics; docs/serving.md describes them. When the alias
    of the model moves to another version, that version is loaded without a dropped request.

    Example: reidops serve --model models:/person-reid@champion --port 8000
    """
    log_to_stderr()
    settings = ServiceSettings(max_body_bytes=max_body_mb << 20, **limits)
    samples = None if sample_log is None else SampleSettings(sample_log, sample_rate, sample_mb << 20)
    run_service(model, settings, host=host, port=port, threads=threads, samples=samples)
