"""Readers of what a server is sent."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.fuzz.reader import Reader

__all__ = ["ROWS"]

_BOUNDARY = "0123456789abcdef"


def _form(folder: Path) -> None:
    parts = [
        b'Content-Disposition: form-data; name="steps"\r\n\r\n4',
        b'Content-Disposition: form-data; name="person"; filename="a.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
        + bytes(200),
        b'Content-Disposition: form-data; name="seed"\r\n\r\n7',
    ]
    edge = f"--{_BOUNDARY}".encode()
    body = b"".join(edge + b"\r\n" + part + b"\r\n" for part in parts) + edge + b"--\r\n"
    (folder / "body").write_bytes(body)


def _read_form(folder: Path) -> None:
    from starlette.requests import Request

    from lite_vton.errors import UserError
    from lite_vton_runtimes.server.forms import Memory, read_form
    from lite_vton_runtimes.server.options import TryOnOptions, read_options
    from lite_vton_runtimes.server.refusals import RefusedError

    body = (folder / "body").read_bytes()

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    kind = f"multipart/form-data; boundary={_BOUNDARY}".encode()
    request = Request({"type": "http", "method": "POST", "headers": [(b"content-type", kind)]}, receive)
    try:
        with Memory(1 << 20).share() as share:
            form = asyncio.run(read_form(request, 1 << 20, 5, share))
        form.file("person")
        read_options(TryOnOptions, form.fields)
    except RefusedError as error:
        raise UserError(str(error)) from error


ROWS = (Reader("form", _form, _read_form, needs=("fastapi",), share=6),)
