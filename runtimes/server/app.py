"""The server's addresses: the page, the bundle's files, and four calls.

GET  /api/models    what there is to choose from, as JSON
POST /api/prepare   photos -> npz of what the network is told, with previews (`runtimes.server.pictures.npz_of`)
POST /api/try-on    photos and options -> PNG, times in the header Server-Timing
POST /api/paste     photos and a crop that the browser sampled -> PNG

Whatever goes wrong is answered as JSON: `error`, one line, and `trouble`, a key of `runtimes.server.refusals.STATUS`.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse, JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from lite_vton.bundle import MANIFEST_NAME, Bundle
from lite_vton.errors import UserError
from lite_vton.version import __version__
from runtimes.methods import METHODS
from runtimes.server.dresser import Backends, Dressed, Dresser
from runtimes.server.forms import Form, discard_body, read_form
from runtimes.server.guard import Guard
from runtimes.server.limits import Limits
from runtimes.server.one_queue import OneQueue, Stop
from runtimes.server.options import PhotoOptions, TryOnOptions, read_options
from runtimes.server.pictures import npz_of
from runtimes.server.refusals import STATUS, RefusedError, refusal

__all__ = ["application"]

T = TypeVar("T")
Options = TypeVar("Options", bound=BaseModel)

_DISCARDED = 4  # times the upload limit: what is read, and thrown away, of a request that is refused
_TROUBLE_OF = {status: trouble for trouble, status in STATUS.items() if status in (404, 405)}


def application(
    bundle: Bundle,
    dresser: Dresser,
    backends: Backends,
    page: Path,
    *,
    limits: Limits | None = None,
    hosts: Collection[str] = (),
    note: str = "",
) -> FastAPI:
    """The ASGI application for one bundle.

    `page` is the folder that the build of runtimes/web left. `hosts` are names beside localhost that the server goes
    by. `note` is what people should know about the weights.
    """
    limits = limits or Limits()
    queue = OneQueue(limits.places)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        queue.close()
        dresser.close()

    # FastAPI's own pages of documentation load scripts from elsewhere.
    app = FastAPI(title="lite-vton", version=__version__, docs_url=None, redoc_url=None, lifespan=lifespan)
    app.add_middleware(Guard, names=hosts)
    _answer_errors(app, limits)

    async def worked(request: Request, options: type[Options], work: Callable[[Form, Options, Stop], T]) -> T:
        async with queue.place(limits.seconds) as place:
            form = await read_form(request, limits.upload_bytes, limits.seconds)
            chosen = read_options(options, form.fields)
            return await place.run(lambda stop: work(form, chosen, stop), request.is_disconnected)

    @app.get("/api/models")
    def models() -> dict[str, object]:
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

    @app.post("/api/prepare")
    async def prepare(request: Request) -> Response:
        prepared = await worked(request, PhotoOptions, dresser.prepare)
        with_garment = "image_encoder" in bundle.manifest.components
        return Response(npz_of(prepared, with_garment), media_type="application/octet-stream")

    @app.post("/api/try-on")
    async def try_on(request: Request) -> Response:
        return _png(await worked(request, TryOnOptions, dresser.try_on))

    @app.post("/api/paste")
    async def paste(request: Request) -> Response:
        return _png(await worked(request, PhotoOptions, dresser.paste))

    @app.get("/bundle/{path:path}")
    def file(path: str) -> Response:
        if path != MANIFEST_NAME and path not in bundle.manifest.files:
            raise RefusedError("gone", "the bundle lists no such file: open the manifest")
        try:
            return FileResponse(bundle.path(path))
        except UserError as error:
            raise RefusedError("gone", str(error)) from error

    app.mount("/ort", StaticFiles(directory=page / "ort"))
    app.mount("/", StaticFiles(directory=page / "page", html=True))
    return app


def _png(dressed: Dressed) -> Response:
    timing = ", ".join(f"{name};dur={1000 * seconds:.1f}" for name, seconds in dressed.seconds.items())
    return Response(dressed.png, media_type="image/png", headers={"server-timing": timing} if timing else None)


def _answer_errors(app: FastAPI, limits: Limits) -> None:
    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, RefusedError)
        await discard_body(request, _DISCARDED * limits.upload_bytes, limits.seconds)
        answer = _error(error)
        if error.trouble == "busy":
            answer.headers["retry-after"] = "2"
        return answer

    async def unusable(request: Request, error: Exception) -> Response:
        assert isinstance(error, UserError)
        return await refused(request, refusal(error))

    async def unknown(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        line = f"{error.detail}: look at the address".lower()
        return _error(RefusedError(_TROUBLE_OF.get(error.status_code, "form"), line))

    async def broken(_: Request, error: Exception) -> Response:
        logging.getLogger("lite_vton.server").error("a request failed", exc_info=error)
        return _error(RefusedError("internal", "the server met an error of its own: see its terminal"))

    app.add_exception_handler(RefusedError, refused)
    app.add_exception_handler(UserError, unusable)
    app.add_exception_handler(HTTPException, unknown)
    app.add_exception_handler(Exception, broken)


def _error(error: RefusedError) -> Response:
    return JSONResponse({"error": str(error), "trouble": error.trouble}, STATUS[error.trouble])
