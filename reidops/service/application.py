"""The HTTP service: embeddings of pictures, tracks of cameras, health and metrics."""

import asyncio
import io
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

import numpy as np
import orjson
import supervision as sv
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reidops.boxes.cutting import MIN_CROP_SIDE
from reidops.cores import usable_cores
from reidops.embedding.resizing import resize_crops, rows_with_pixels
from reidops.errors import ReidopsError
from reidops.image_headers import stated_size
from reidops.memory import return_freed_memory
from reidops.mot.boxes import ltrb_to_ltwh, ltwh_to_ltrb
from reidops.service.batching import BatchingEmbedder
from reidops.service.bodies import JSON, MULTIPART, content_type, parse_object, read_body, read_json_body, read_parts
from reidops.service.metrics import Metrics
from reidops.service.refusals import Busy, Refused
from reidops.service.sampling import SampleLog
from reidops.service.served_model import CurrentModel
from reidops.service.sessions import Sessions
from reidops.service.settings import ServiceSettings
from reidops.serving.crop_inputs import BOX_LTRB, BOX_LTWH, FRAME, decode_picture, read_boxes, read_crops

NUMPY = "application/x-npy"
_PATHS = ("/embed", "/track", "/health", "/metrics")
Answer = TypeVar("Answer")


class Service:
    """The parts of the service that its requests share."""

    def __init__(
        self, models: CurrentModel, settings: ServiceSettings, metrics: Metrics, samples: SampleLog | None = None
    ) -> None:
        self.samples = samples
        self.models, self.settings, self.metrics = models, settings, metrics
        self.sessions = Sessions(models, most=settings.max_sessions, seconds=settings.session_seconds)
        self.num_waiting = 0
        self._threads = ThreadPoolExecutor(max(2, usable_cores()), thread_name_prefix="pictures")
        metrics.set_version(models.version)

    async def in_thread(self, work: Callable[..., Answer], *arguments: Any) -> Answer:
        """Return the result of work that would block the event loop.

        Raises:
            Busy: it takes longer than a request may.
        """
        async with self._deadline():
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)

    async def embed(self, request: Request) -> Response:
        """Answer POST /embed."""
        given = await self._pictures(request)
        with self.models.use() as model:
            embeddings = await self._embed(given, model.embedder)
        if NUMPY in request.headers.get("accept", ""):
            return Response(_as_npy(embeddings), media_type=NUMPY, headers={"x-model-version": model.version})
        content = {"model_version": model.version, "embeddings": embeddings}
        return Response(orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY), media_type=JSON)

    async def track(self, camera: str, request: Request) -> Response:
        """Answer POST /track/{camera}."""
        parts = {part.name: part.data for part in await self._multipart(request)}
        if FRAME not in parts or "detections" not in parts:
            raise Refused(400, "expected the parts `frame` (a picture) and `detections` (JSON)")
        options = parse_object(parts.get("options", b"{}"), "the part `options`")
        detections = read_detections(parse_object(parts["detections"], "the part `detections`"), self.settings)
        self._check_pixels([parts[FRAME]])
        name = request.query_params.get("tracker", "botsort")
        return await self.in_thread(self._track, camera, name, options, parts[FRAME], detections)

    async def end_session(self, camera: str) -> Response:
        """Answer DELETE /track/{camera}."""
        if not await self.in_thread(self.sessions.end, camera):
            raise Refused(404, f"the camera {camera[:40]!r} is not tracked")
        return Response(status_code=204)

    def health(self) -> Response:
        """Answer GET /health: 200 while the service answers, with the reason if the last reload failed."""
        with self.models.use() as model:
            return JSONResponse(
                {
                    "status": "ok",
                    "model": model.name,
                    "model_version": model.version,
                    "dim": model.embedder.dim,
                    "gates": dict(model.gates),
                    "sessions": len(self.sessions),
                    "reload_error": self.models.last_error,
                }
            )

    def show_metrics(self) -> Response:
        """Answer GET /metrics."""
        self.metrics.sessions.set(len(self.sessions))
        self.metrics.waiting.set(self.num_waiting)
        return Response(self.metrics.text(), media_type=CONTENT_TYPE_LATEST)

    def reload(self) -> None:
        """Replace the model if the registry's alias moved."""
        if self.models.reload():
            self.metrics.reloads.inc()
            self.metrics.set_version(self.models.version)

    async def _pictures(self, request: Request) -> Any:
        """Return the pictures of a request in a form that `read_crops` takes."""
        kind, _ = content_type(request)
        if kind == MULTIPART:
            given: Any = [part.data for part in await self._multipart(request)]
        elif kind == JSON:
            given = _json_pictures(await read_json_body(request, self.settings))
        elif kind.startswith("image/"):
            given = [await read_body(request, self.settings)]
        else:
            raise Refused(415, f"the content type is {kind[:40]!r}, expected {MULTIPART}, {JSON} or image/jpeg")
        if isinstance(given, list):
            self._check_number(len(given))
            self._check_pixels([one for one in given if isinstance(one, bytes)])
        return given

    async def _multipart(self, request: Request) -> Sequence[Any]:
        if content_type(request)[0] != MULTIPART:
            raise Refused(415, f"expected the content type {MULTIPART}")
        return await read_parts(request, self.settings)

    def _check_number(self, number: int) -> None:
        if not number:
            raise Refused(400, "the request has no picture")
        if number > self.settings.max_pictures:
            raise Refused(413, f"the request has {number} pictures, at most {self.settings.max_pictures} are allowed")

    def _check_pixels(self, encoded: Sequence[bytes]) -> None:
        """Refuse pictures that are large in total before one is decoded."""
        sizes = [stated_size(data) or (0, 0) for data in encoded]
        total = sum(width * height for width, height in sizes)
        if total > self.settings.max_pixels:
            raise Refused(413, f"the pictures have {total:,} pixels, at most {self.settings.max_pixels:,} are allowed")

    async def _embed(self, given: Any, embedder: BatchingEmbedder) -> np.ndarray:
        """Return the embeddings of pictures; no thread waits while other requests use the network."""
        if not isinstance(given, list):
            return await self.in_thread(self._embed_frame, given, embedder)
        async with self._deadline():
            waiting = await self.in_thread(_submit, given, embedder)
            return waiting.result() if waiting.done() else await asyncio.wrap_future(waiting)

    def _embed_frame(self, given: Mapping[str, Any], embedder: BatchingEmbedder) -> np.ndarray:
        crops = read_crops(given, allow_paths=False)
        self._check_number(len(crops))
        return embedder.embed(crops)

    @asynccontextmanager
    async def _deadline(self) -> AsyncIterator[None]:
        """Limit the time of the block.

        Raises:
            Busy: it takes longer than a request may.
        """
        try:
            async with asyncio.timeout(self.settings.request_seconds):
                yield
        except TimeoutError:
            raise Busy(f"the request was not answered within {self.settings.request_seconds:g} s") from None

    def _track(
        self, camera: str, name: str, options: Mapping[str, Any], encoded: bytes, detections: sv.Detections
    ) -> Response:
        picture = decode_picture(encoded, FRAME)
        session = self.sessions.find(camera, name, options)
        tracked = session.follow(picture, detections)
        if self.samples is not None:
            boxes, confidences = ltrb_to_ltwh(detections.xyxy), np.asarray(detections.confidence)
            self.samples.consider(camera, picture, boxes, confidences, session.model.embedder)
        return JSONResponse(
            {
                "model_version": session.model.version,
                "frame": session.num_frames,
                "tracks": _rows(tracked),
            }
        )


def read_detections(content: Mapping[str, Any], settings: ServiceSettings) -> sv.Detections:
    """Return detections of a JSON object with `box_ltwh` or `box_ltrb` [n, 4] and `confidence` [n].

    Raises:
        Refused: there are too many (413), or as many confidences as boxes are missing (400).
        ReidopsError: the boxes are not numbers [n, 4].
    """
    names = [name for name in (BOX_LTWH, BOX_LTRB) if name in content]
    if len(names) != 1:
        raise Refused(400, f"the part `detections` has {len(names)} kinds of boxes, expected {BOX_LTWH} or {BOX_LTRB}")
    boxes = read_boxes(content[names[0]], names[0])
    confidence = content.get("confidence")
    if not isinstance(confidence, list) or not all(type(one) in (int, float) for one in confidence):
        confidence = []
    if len(confidence) != len(boxes) or not np.isfinite(np.array(confidence, float)).all():
        raise Refused(400, f"`confidence` must be a list of {len(boxes)} numbers, one for each box")
    if len(boxes) > settings.max_pictures:
        raise Refused(413, f"the frame has {len(boxes)} boxes, at most {settings.max_pictures} are allowed")
    box_ltrb = boxes if names[0] == BOX_LTRB else ltwh_to_ltrb(boxes)
    return sv.Detections(
        xyxy=box_ltrb.reshape(-1, 4), confidence=np.array(confidence, float), class_id=np.ones(len(boxes), dtype=int)
    )


def create_application(service: Service) -> FastAPI:
    """Return the ASGI application of a service; it checks for a new version of the model while it runs."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        """Check for a new version of the model between start and end of the application."""
        watching = asyncio.create_task(_watch(service))
        yield
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching

    application = FastAPI(title="reidops", lifespan=lifespan)
    application.add_api_route("/embed", service.embed, methods=["POST"], response_model=None)
    application.add_api_route("/track/{camera}", service.track, methods=["POST"], response_model=None)
    application.add_api_route("/track/{camera}", service.end_session, methods=["DELETE"], response_model=None)
    application.add_api_route("/health", service.health, response_model=None)
    application.add_api_route("/metrics", service.show_metrics, response_model=None)
    application.add_exception_handler(Refused, _refuse)
    application.add_exception_handler(ReidopsError, _refuse)

    application.add_middleware(Measured, service=service)
    return application


class Measured:
    """ASGI middleware that counts and times requests, and refuses them if too many are being answered."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app, self._service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = next((path for path in _PATHS if scope["path"].startswith(path)), "other")
        start, status = time.perf_counter(), 500

        async def remember(message: Message) -> None:
            """Send a message of the answer, and keep its status code for the metrics."""
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self._answer(path, scope, receive, remember)
        finally:
            metrics = self._service.metrics
            metrics.requests.labels(path, status).inc()
            metrics.seconds.labels(path).observe(time.perf_counter() - start)

    async def _answer(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        service = self._service
        if path in ("/embed", "/track") and service.num_waiting >= service.settings.max_waiting:
            busy = Busy(f"{service.num_waiting} requests are being answered; try again")
            await _refuse(Request(scope), busy)(scope, receive, send)
            return
        service.num_waiting += 1
        try:
            await self._app(scope, receive, send)
        finally:
            service.num_waiting -= 1


async def _watch(service: Service) -> None:
    """Reload the model when it changed, and return freed memory, until cancelled."""
    while True:
        await asyncio.sleep(service.settings.reload_seconds)
        await asyncio.to_thread(service.reload)
        await asyncio.to_thread(return_freed_memory)


def _refuse(request: Request, error: Exception) -> Response:
    status = error.status if isinstance(error, Refused) else 400
    headers = {"retry-after": "1"} if status == 503 else {}
    if status in (408, 413):  # the rest of the body is not read
        headers["connection"] = "close"
    return JSONResponse({"error": str(error)}, status, headers)


def _json_pictures(content: Mapping[str, Any]) -> Any:
    if "images" in content:
        if not isinstance(content["images"], list) or not all(isinstance(one, str) for one in content["images"]):
            raise Refused(400, "`images` must be a list of pictures in base64")
        return content["images"]
    if FRAME not in content or not isinstance(content[FRAME], str):
        raise Refused(400, f"expected `images` (a list of base64), or `{FRAME}` (base64) with `{BOX_LTWH}`")
    return content


def _submit(given: Sequence[bytes | str], embedder: BatchingEmbedder) -> "Future[np.ndarray]":
    """Return the embeddings of pictures as a future; they are decoded and resized one at a time."""
    images = [resize_crops(_checked(one, i), *embedder.input_size) for i, one in enumerate(given)]
    return embedder.submit(np.concatenate(images))


def _checked(one: Any, index: int) -> list[np.ndarray]:
    """Return one picture as a list of one crop.

    Raises:
        ReidopsError: it is not a picture, or smaller than a crop may be.
    """
    if isinstance(one, bytes):
        crop = decode_picture(one, f"picture {index}")
    else:
        (crop,) = read_crops([one], allow_paths=False)
    if not rows_with_pixels([crop]) or min(crop.shape[:2]) < MIN_CROP_SIDE:
        raise ReidopsError(f"picture {index} has {crop.shape[1]} × {crop.shape[0]} px, at least 4 × 4 are needed")
    return [crop]


def _rows(tracked: sv.Detections) -> list[dict[str, Any]]:
    boxes, names = ltrb_to_ltwh(tracked.xyxy), ("track_id", "box_ltwh", "confidence")
    columns = (tracked.tracker_id.tolist(), np.round(boxes, 2).tolist(), tracked.confidence.tolist())
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _as_npy(embeddings: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, embeddings)
    return stream.getvalue()
