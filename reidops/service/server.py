"""Run the service with uvicorn."""

import uvicorn

from reidops.image_headers import bound_pixels
from reidops.memory import use_one_heap
from reidops.service.application import Service, create_application
from reidops.service.metrics import Metrics
from reidops.service.sampling import SampleLog, SampleSettings
from reidops.service.served_model import CurrentModel
from reidops.service.settings import ServiceSettings
from reidops.service.sources import find_source

_KEEP_ALIVE_SECONDS = 30
_SHUTDOWN_SECONDS = 30


def new_service(
    model: str, settings: ServiceSettings, threads: int = 0, samples: SampleSettings | None = None
) -> Service:
    """Return the service of a model; see `find_source`. Without `samples` nothing is logged.

    Raises:
        ReidopsError: there is no such model.
    """
    metrics = Metrics()
    source = find_source(model, max_batch=settings.max_batch, threads=threads, on_batch=metrics.count_batch)
    return Service(CurrentModel(source), settings, metrics, None if samples is None else SampleLog(samples))


def serve(
    model: str,
    settings: ServiceSettings,
    *,
    host: str,
    port: int,
    threads: int = 0,
    samples: SampleSettings | None = None,
) -> None:
    """Serve until SIGTERM or Ctrl-C; requests in progress are answered first.

    Raises:
        ReidopsError: there is no such model.
    """
    use_one_heap()
    bound_pixels(settings.max_pixels)
    service = new_service(model, settings, threads, samples)
    uvicorn.run(
        create_application(service),
        host=host,
        port=port,
        log_level="warning",
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
        limit_concurrency=4 * settings.max_waiting,
    )
