"""The calls in OpenAPI's words, and a page that shows them. Nothing of it is loaded from elsewhere."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Response
from fastapi.responses import HTMLResponse
from pydantic import BaseModel
from starlette.staticfiles import StaticFiles

from lite_vton_runtimes.server.refusals import STATUS

__all__ = ["ERRORS", "FILES", "add_pages", "answer", "form_of"]

FILES: Mapping[str, str] = {
    "person": "Photo of the person.",
    "garment": "Photo of the garment.",
    "keypoints": "The person's keypoints as JSON, if known.",
    "parse": "The person's parse as PNG, if known.",
    "garment_mask": "The garment's mask, if known.",
}
"""What each file of a form is. The first two have to be there."""

_REQUIRED = 2

_PAGE = """<!doctype html>
<html lang="en">
<title>lite-vton: calls of the server</title>
<link rel="icon" href="/docs/favicon-32x32.png">
<link rel="stylesheet" href="/docs/swagger-ui.css">
<div id="calls"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
"""
_START = 'SwaggerUIBundle({ url: "/openapi.json", dom_id: "#calls" });\n'


def form_of(options: type[BaseModel], **files: str) -> dict[str, Any]:
    """The description of a call whose form has `FILES`, `files` that have to be there too, and fields of `options`."""
    schema = options.model_json_schema()
    uploads = {**FILES, **files}
    parts = {name: {"type": "string", "format": "binary", "description": text} for name, text in uploads.items()}
    required = [*list(FILES)[:_REQUIRED], *files]
    form = {"type": "object", "properties": parts | schema["properties"], "required": required}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": form}}}}


def answer(media_type: str, description: str) -> dict[int | str, dict[str, Any]]:
    """A call's answer, for the parameter `responses` of a route."""
    schema = {"type": "string", "format": "binary"}
    return {200: {"description": description, "content": {media_type: {"schema": schema}}}}


def _errors() -> dict[int | str, dict[str, Any]]:
    troubles: dict[int, list[str]] = defaultdict(list)
    for trouble, status in STATUS.items():
        troubles[status].append(trouble)
    fields = {"error": {"type": "string"}, "trouble": {"type": "string"}}
    content = {"application/json": {"schema": {"type": "object", "properties": fields}}}
    return {status: {"description": " or ".join(words), "content": content} for status, words in troubles.items()}


ERRORS = _errors()
"""What a call that goes wrong answers, by status."""


def add_pages(app: FastAPI) -> None:
    """Add /docs, which shows what /openapi.json says, by Swagger UI out of a package."""

    @app.get("/docs", include_in_schema=False)
    def page() -> Response:
        return HTMLResponse(_PAGE)

    @app.get("/docs/start.js", include_in_schema=False)
    def start() -> Response:
        return Response(_START, media_type="text/javascript")

    app.mount("/docs", StaticFiles(packages=[("fastapi_swagger", "resources")]))
