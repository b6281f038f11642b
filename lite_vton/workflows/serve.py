"""A bundle's page and backends, served until Ctrl-C. Imports no torch unless a request asks for that backend."""

from __future__ import annotations

import ipaddress
import re
import socket
import sys
import threading
import webbrowser
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lite_vton.bundle import Bundle
from lite_vton.errors import UserError
from lite_vton.workflows.backends import usable_backends
from lite_vton.workflows.benchmark import combinations
from lite_vton.workflows.extras import how_to_install, missing_of
from lite_vton.workflows.weights import NOTES
from lite_vton_runtimes.server.limits import Limits
from lite_vton_runtimes.server.page_files import built_page
from lite_vton_runtimes.session import TryOn

if TYPE_CHECKING:
    from lite_vton_runtimes.server.dresser import Backends
    from lite_vton_runtimes.server.one_queue import OneQueue

__all__ = ["Serving", "serve_bundle"]

_NEEDS = ("fastapi", "uvicorn", "python_multipart", "prometheus_client", "fastapi_swagger")
_ORIGIN = re.compile(r"(?P<scheme>https?)://([a-z0-9.-]+|\[[0-9a-f:.]+\])(:(?P<port>[1-9][0-9]{0,4}))?")
_OWN_PORT = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Serving:
    """Where to listen, which backends to offer (comma-separated; none: all that work here), and how much to take on.

    `origins` are sites beside the server's own page that may ask.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    backends: str = ""
    max_upload_mb: int = 32
    queue: int = 8
    timeout_s: int = 120
    open_page: bool = False
    save_photos: Path | None = None
    origins: Sequence[str] = ()


def serve_bundle(path: Path, serving: Serving) -> bool:
    """Serve the bundle at `path`; returns after Ctrl-C or SIGTERM: whether all work has ended.

    `UserError` for a bundle that will not do, a page that is not built, or an address that cannot be had.
    """
    for origin in serving.origins:
        _check_origin(origin)
    missing = missing_of(_NEEDS)
    if missing:
        raise UserError(f"this needs {', '.join(missing)}: {how_to_install(missing)}")
    from lite_vton.tryon.photos import prepare_photos
    from lite_vton_runtimes.server.app import application
    from lite_vton_runtimes.server.dresser import Dresser
    from lite_vton_runtimes.server.listening import listen

    page = built_page()
    bundle = Bundle.open(path)
    if serving.save_photos is not None:
        serving.save_photos.mkdir(parents=True, exist_ok=True)
    backends = _backends(bundle, serving.backends)
    app = application(
        bundle,
        Dresser(bundle, backends, prepare_photos, serving.save_photos),
        backends,
        page,
        limits=Limits(serving.max_upload_mb * 1_000_000, serving.queue, serving.timeout_s),
        hosts=_names(serving.host),
        origins=serving.origins,
        note=NOTES.get(bundle.manifest.source.checkpoint, ""),
    )
    if not _is_this_machine(serving.host):
        print(f"{serving.host} can be reached by others: they see the page and use this machine", file=sys.stderr)

    def ready(address: str) -> None:
        print(f"serving {path} at {address} (Ctrl-C ends)", flush=True)
        if serving.open_page:
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()

    queue: OneQueue = app.state.queue
    listen(app, serving.host, serving.port, ready, queue)
    return queue.has_ended


def _check_origin(origin: str) -> None:
    """As browsers send it: a scheme and a host, in lower case, with a port that is not the scheme's own."""
    found = _ORIGIN.fullmatch(origin)
    port = int(found["port"] or 0) if found else 0
    if found is None or port > 65535 or port == _OWN_PORT[found["scheme"]]:
        raise UserError(f"--cors-origin {origin!r} is no site: give it as https://example.com or http://localhost:3000")


def _backends(bundle: Bundle, asked: str) -> Backends:
    from lite_vton_runtimes.server.dresser import Backends

    usable, left_out = usable_backends(bundle)
    if asked:
        offered, left_out = combinations(bundle, asked, ""), ()
    else:
        offered = combinations(bundle, ",".join(usable), "") if usable else ()
    return Backends(offered, lambda backend, precision: TryOn(bundle, backend, precision), left_out)


def _names(host: str) -> set[str]:
    """What a browser may call this server beside localhost and addresses."""
    return {host.lower()} if _is_this_machine(host) else {host.lower(), socket.gethostname().lower()}


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
