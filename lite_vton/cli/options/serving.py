"""Where the server listens, and what it allows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from lite_vton.cli.options.declaring import grouped

__all__ = ["CorsOrigins", "Host", "MaxUpload", "OpenPage", "Port", "Queue", "SavePhotos", "Timeout"]

_option = grouped("Server")

Host = Annotated[str, _option("--host", help="Address to listen at; others than this machine's own let others in.")]
Port = Annotated[int, _option("--port", min=0, max=65535, help="Port to listen at; 0: any that is free.")]
MaxUpload = Annotated[
    int, _option("--max-upload-mb", min=1, max=1000, help="Megabytes of one request's photos together.")
]
Queue = Annotated[int, _option("--queue", min=1, max=1000, help="Requests that may wait; others are told it is busy.")]
Timeout = Annotated[int, _option("--timeout", min=1, max=86_400, help="Seconds a request may take.")]
OpenPage = Annotated[bool, _option("--open/--no-open", help="Show the page in this machine's browser.")]
SavePhotos = Annotated[
    Path | None, _option("--save-photos", metavar="FOLDER", help="Keep photos and results; default: nowhere.")
]
CorsOrigins = Annotated[
    list[str] | None,
    _option("--cors-origin", metavar="SITE", help="Let pages of this site ask, as https://example.com; repeatable."),
]
