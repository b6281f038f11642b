"""`lite-vton serve`: a page for trying a bundle on one's own photos."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from lite_vton.cli.options import BundlePath
from lite_vton.workflows.names import completing

__all__ = ["serve"]


def serve(
    path: BundlePath,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen at; others than this machine's own let others in.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0: any that is free.")] = 8000,
    backends: Annotated[
        str,
        typer.Option(
            "--backend",
            autocompletion=completing("backend"),
            help="Comma-separated; default: all that the bundle and this machine have.",
        ),
    ] = "",
    max_upload_mb: Annotated[
        int, typer.Option("--max-upload-mb", min=1, max=1000, help="Megabytes of one request's photos together.")
    ] = 32,
    queue: Annotated[
        int, typer.Option("--queue", min=1, max=1000, help="Requests that may wait; others are told it is busy.")
    ] = 8,
    timeout: Annotated[int, typer.Option("--timeout", min=1, max=86_400, help="Seconds a request may take.")] = 120,
    open_page: Annotated[
        bool, typer.Option("--open/--no-open", help="Show the page in this machine's browser.")
    ] = False,
    save_photos: Annotated[
        Path | None, typer.Option("--save-photos", metavar="FOLDER", help="Keep photos and results; default: nowhere.")
    ] = None,
    cors_origins: Annotated[
        list[str] | None,
        typer.Option(
            "--cors-origin", metavar="SITE", help="Let pages of this site ask, as https://example.com; repeatable."
        ),
    ] = None,
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
