"""The server's addresses: the page, the bundle's files, four calls, and what those ask who watch over a server.

GET  /api/models    what there is to choose from, as JSON
POST /api/prepare   photos -> npz of what the network is told, with previews
(`lite_vton_runtimes.server.pictures.npz_of`) POST /api/try-on    photos and options -> PNG, times in the header
Server-Timing POST /api/paste     photos and a crop that the browser sampled -> PNG GET  /healthz       200 while
requests are taken GET  /metrics       Prometheus' text format GET  /docs          these calls, as /openapi.json
describes them

Whatever goes wrong is answered as JSON: `error`, one line, and `trouble`, a key of
`lite_vton_runtimes.server.refusals.STATUS`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse, JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.routing import Route
from starlette.staticfiles import StaticFiles

from lite_vton.bundle import MANIFEST_NAME, Bundle
from lite_vton.errors import UserError
from lite_vton.version import __version__
from lite_vton_runtimes.sampling.methods import METHODS
from lite_vton_runtimes.server.description import ERRORS, add_pages, answer, form_of
from lite_vton_runtimes.server.dresser import Backends, Dressed, Dresser
from lite_vton_runtimes.server.forms import Form, Memory, discard_body, read_form
from lite_vton_runtimes.server.guard import Guard
from lite_vton_runtimes.server.limits import Limits
from lite_vton_runtimes.server.metrics import CONTENT_TYPE, Counted, Metrics
from lite_vton_runtimes.server.one_queue import OneQueue, Stop
from lite_vton_runtimes.server.options import PhotoOptions, TryOnOptions, read_options
from lite_vton_runtimes.server.pictures import npz_of
from lite_vton_runtimes.server.refusals import RETRY_AFTER, STATUS, RefusedError, refusal

__all__ = ["application"]

T = TypeVar("T")
Options = TypeVar("Options", bound=BaseModel)

_DISCARDED = 4  # times the upload limit: what is read, and thrown away, of a request that is refused
_CLOSING = 2.0  # seconds that work under way is waited for at the end
_TROUBLE_OF = {status: trouble for trouble, status in STATUS.items() if status in (404, 405)}


def application(
    bundle: Bundle,
    dresser: Dresser,
    backends: Backends,
    page: Path,
    *,
    limits: Limits | None = None,
    hosts: Collection[str] = (),
    origins: Collection[str] = (),
    note: str = "",
) -> FastAPI:
    """The ASGI application for one bundle.

    - `page`: the folder that the build of runtimes/web left
    - `hosts`: names beside localhost that the server goes by
    - `origins`: sites beside its own page that may ask, as "https://example.com"
    - `note`: what people should know about the weights

    Its `state.queue` is the `OneQueue` behind it.
    """
    limits = limits or Limits()
    queue, memory = OneQueue(limits.places), Memory(limits.places * limits.upload_bytes)
    metrics = Metrics(lambda: len(queue))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        queue.close(_CLOSING)
        if queue.has_ended:
            dresser.close()

    # FastAPI's own pages of documentation load scripts from elsewhere.
    app = FastAPI(title="lite-vton", version=__version__, docs_url=None, redoc_url=None, lifespan=lifespan)
    app.state.queue = queue
    _answer_errors(app, limits, metrics)

    async def worked(request: Request, options: type[Options], work: Callable[[Form, Options, Stop], T]) -> T:
        queue.check()
        with memory.share() as share:
            form = await read_form(request, limits.upload_bytes, limits.seconds, share)
            chosen = read_options(options, form.fields)
            async with queue.place(limits.seconds) as place:
                return await place.run(lambda stop: work(form, chosen, stop), request.is_disconnected)

    @app.head("/healthz", include_in_schema=False)
    @app.get("/healthz")
    def health() -> dict[str, str]:
        """Whether requests are taken."""
        if not queue.is_taking:
            raise RefusedError("stopping", "the server is stopping: try again later")
        return {"status": "ok"}

    @app.head("/metrics", include_in_schema=False)
    @app.get("/metrics", response_class=Response)
    def counted() -> Response:
        """Requests, seconds, errors and the queue, in Prometheus' text format."""
        return Response(metrics.text(), media_type=CONTENT_TYPE)

    @app.head("/api/models", include_in_schema=False)
    @app.get("/api/models")
    def models() -> dict[str, object]:
        """What there is to choose from."""
        manifest = bundle.manifest
        return {
            "version": __version__,
            "model": manifest.model.name,
            "note": note,
            "height": manifest.height,
            "width": manifest.width,
            "steps": manifest.default_steps,
            "sampler": manifest.default_sampler,
            "samplers": list(METHODS),
            "mask": manifest.model.mask,
            "browser": [row.precision for row in manifest.artifacts.values() if row.format == "onnx"],
            "server": [{"backend": backend, "precision": precision} for backend, precision in backends.offered],
            "left_out": list(backends.left_out),
            "upload_bytes": limits.upload_bytes,
            "seconds": limits.seconds,
        }

    npz = answer("application/octet-stream", "Arrays as npz.")
    png = answer("image/png", "A picture as large as the person's photo.")

    @app.post("/api/prepare", responses=npz | ERRORS, openapi_extra=form_of(PhotoOptions), response_class=Response)
    async def prepare(request: Request) -> Response:
        """What the network is told, and previews of it."""
        prepared = await worked(request, PhotoOptions, dresser.prepare)
        with_garment = "image_encoder" in bundle.manifest.components
        return Response(npz_of(prepared, with_garment), media_type="application/octet-stream")

    @app.post("/api/try-on", responses=png | ERRORS, openapi_extra=form_of(TryOnOptions), response_class=Response)
    async def try_on(request: Request) -> Response:
        """The whole try-on; the header Server-Timing says how long each part took."""
        return _png(await worked(request, TryOnOptions, dresser.try_on))

    crop = form_of(PhotoOptions, picture="RGB bytes of a crop that was sampled elsewhere, row by row.")

    @app.post("/api/paste", responses=png | ERRORS, openapi_extra=crop, response_class=Response)
    async def paste(request: Request) -> Response:
        """A crop that was sampled elsewhere, in the photo."""
        return _png(await worked(request, PhotoOptions, dresser.paste))

    @app.head("/bundle/{path:path}", include_in_schema=False)
    @app.get("/bundle/{path:path}", response_class=FileResponse)
    def file(path: str) -> Response:
        """A file that the bundle's manifest lists, or the manifest."""
        if path != MANIFEST_NAME and path not in bundle.manifest.files:
            raise RefusedError("gone", "the bundle lists no such file: open the manifest")
        try:
            return FileResponse(bundle.path(path))
        except UserError as error:
            raise RefusedError("gone", str(error)) from error

    calls: dict[str, set[str]] = defaultdict(set)
    for route in app.routes:
        if isinstance(route, Route):
            calls[route.path] |= route.methods or set()
    add_pages(app)
    for path, methods in calls.items():
        app.router.routes.append(Route(path, _WrongMethod(methods)))
    app.mount("/ort", StaticFiles(directory=page / "ort"))
    app.mount("/", StaticFiles(directory=page / "page", html=True))

    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(origins),
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=["Server-Timing", "Retry-After"],
        )
    app.add_middleware(Guard, names=hosts, origins=origins)
    app.add_middleware(Counted, metrics=metrics, calls={path: path for path in calls})
    return app


class _WrongMethod:
    """Refuses what came to a call's address by none of its methods; else the folder of the page would answer."""

    def __init__(self, methods: Collection[str]) -> None:
        self._allowed = ", ".join(sorted(methods))

    async def __call__(self, *_: object) -> None:
        raise HTTPException(405, f"this address takes only {self._allowed}", {"allow": self._allowed})


def _png(dressed: Dressed) -> Response:
    timing = ", ".join(f"{name};dur={1000 * seconds:.1f}" for name, seconds in dressed.seconds.items())
    return Response(dressed.png, media_type="image/png", headers={"server-timing": timing} if timing else None)


def _answer_errors(app: FastAPI, limits: Limits, metrics: Metrics) -> None:
    def told(error: RefusedError) -> Response:
        metrics.refused(error.trouble)
        answer = JSONResponse({"error": str(error), "trouble": error.trouble}, STATUS[error.trouble])
        if STATUS[error.trouble] == 503:
            answer.headers["retry-after"] = RETRY_AFTER
        return answer

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, RefusedError)
        await discard_body(request, _DISCARDED * limits.upload_bytes, limits.seconds)
        return told(error)

    async def unusable(request: Request, error: Exception) -> Response:
        assert isinstance(error, UserError)
        return await refused(request, refusal(error))

    async def unknown(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        line = f"{error.detail[:1].lower()}{error.detail[1:]}: see /docs"
        refused = told(RefusedError(_TROUBLE_OF.get(error.status_code, "form"), line))
        refused.headers.update(error.headers or {})
        return refused

    async def broken(_: Request, _error: Exception) -> Response:
        return told(RefusedError("internal", "the server met an error of its own: see its terminal"))

    app.add_exception_handler(RefusedError, refused)
    app.add_exception_handler(UserError, unusable)
    app.add_exception_handler(HTTPException, unknown)
    # Starlette would put a handler of Exception around all else, where its answer has none of Guard's headers.
    # The error is raised again then, and uvicorn shows it.
    app.add_middleware(ServerErrorMiddleware, handler=broken)
