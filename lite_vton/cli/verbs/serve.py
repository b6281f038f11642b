"""`lite-vton serve`: a page for trying a bundle on one's own photos."""

from __future__ import annotations

import os

from lite_vton.cli.options.backends import Backends
from lite_vton.cli.options.models import BundlePath
from lite_vton.cli.options.serving import CorsOrigins, Host, MaxUpload, OpenPage, Port, Queue, SavePhotos, Timeout

__all__ = ["serve"]


def serve(
    path: BundlePath,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    backends: Backends = "",
    max_upload_mb: MaxUpload = 32,
    queue: Queue = 8,
    timeout: Timeout = 120,
    open_page: OpenPage = False,
    save_photos: SavePhotos = None,
    cors_origins: CorsOrigins = None,
) -> None:
    """Open a page for two photos and a bundle, in the browser or on this machine's backends.

    Photos stay in memory. Ctrl-C or SIGTERM ends it: requests under way have five seconds. Its calls: /docs.
    """
    from lite_vton.workflows.serve import Serving, serve_bundle

    origins = tuple(cors_origins or ())
    has_ended = serve_bundle(
        path, Serving(host, port, backends, max_upload_mb, queue, timeout, open_page, save_photos, origins)
    )
    print("stopped", flush=True)
    if not has_ended:
        os._exit(0)  # a network that cannot be stopped between two steps would be waited for
