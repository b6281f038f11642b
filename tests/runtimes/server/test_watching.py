"""What those ask who watch over a server, or write programs against it: health, metrics, calls, other sites."""

from __future__ import annotations

import re

import pytest

from lite_vton.tryon.prepare import Prepared
from lite_vton_runtimes.server.guard import HEADERS
from lite_vton_runtimes.server.refusals import STATUS
from tests.reliability.served import Files
from tests.runtimes.server.conftest import Serve

pytest.importorskip("fastapi", reason="needs the extra serve")

SITE = "https://shop.example.com"


def test_health_says_whether_requests_are_taken(serve: Serve, files: Files) -> None:
    client = serve().client
    assert client.get("/healthz").json() == {"status": "ok"}
    client.app.state.queue.stop_taking()  # type: ignore[attr-defined]
    for answer in (client.get("/healthz"), client.post("/api/prepare", files=files)):
        assert (answer.status_code, answer.json()["trouble"]) == (503, "stopping")
        assert answer.headers["retry-after"]


def test_metrics_count_requests_seconds_errors_and_the_queue(serve: Serve, files: Files) -> None:
    parser = pytest.importorskip("prometheus_client.parser", reason="needs the extra serve")
    client = serve().client
    client.post("/api/prepare", files=files)
    client.post("/api/prepare", files={**files, "person": ("x", b"")})
    client.get("/api/prepare")
    client.get("/whatever")
    client.get("/api/models", headers={"host": "rebound.example.com"})
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    samples = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in parser.text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    assert samples["lite_vton_requests_total", "/api/prepare", "200"] == 1
    assert samples["lite_vton_requests_total", "/api/prepare", "415"] == 1
    assert samples["lite_vton_requests_total", "/api/prepare", "405"] == 1
    assert samples["lite_vton_requests_total", "404", "page"] == 1
    assert samples["lite_vton_requests_total", "/api/models", "403"] == 1
    assert samples["lite_vton_request_seconds_count", "/api/prepare"] == 3
    assert samples["lite_vton_request_seconds_sum", "/api/prepare"] > 0
    assert samples["lite_vton_errors_total", "not-a-photo"] == 1
    assert samples[("lite_vton_queue",)] == 0


def test_every_call_is_described_and_the_page_that_shows_them_loads_nothing_from_elsewhere(serve: Serve) -> None:
    client = serve().client
    described = client.get("/openapi.json").json()["paths"]
    assert {"/api/models", "/api/prepare", "/api/try-on", "/api/paste", "/healthz", "/metrics"} <= set(described)
    call = described["/api/try-on"]["post"]
    form = call["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert {"person", "garment", "keypoints", "category", "steps", "seed", "backend"} <= set(form["properties"])
    assert form["required"] == ["person", "garment"]
    assert {str(status) for status in STATUS.values()} <= set(call["responses"])
    assert described["/api/paste"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]["required"][-1]
    page = client.get("/docs")
    assert page.status_code == 200
    assert "default-src 'none'" in page.headers["content-security-policy"]
    loaded = re.findall(r'(?:src|href)="([^"]*)"', page.text)
    assert len(loaded) == 4
    for path in loaded:
        assert path.startswith("/docs/")
        assert client.get(path).status_code == 200, path
    assert "<script>" not in page.text
    assert "style=" not in page.text


def test_only_named_sites_may_ask(serve: Serve, files: Files) -> None:
    client = serve(origins=(SITE,)).client
    asks = {"origin": SITE, "access-control-request-method": "POST", "access-control-request-headers": "x-own"}
    before = client.options("/api/try-on", headers=asks)
    assert before.status_code == 200
    assert before.headers["access-control-allow-origin"] == SITE
    assert "POST" in before.headers["access-control-allow-methods"]
    for answer in (
        client.get("/api/models", headers={"origin": SITE}),
        client.post("/api/prepare", files={**files, "person": ("x", b"")}, headers={"origin": SITE}),
    ):
        assert answer.headers["access-control-allow-origin"] == SITE
        assert "origin" in answer.headers["vary"].lower()
    for origin in ("https://example.com", SITE + ".evil.com", "http://shop.example.com", "null"):
        for answer in (
            client.get("/api/models", headers={"origin": origin}),
            client.options("/api/try-on", headers={**asks, "origin": origin}),
        ):
            assert (answer.status_code, answer.json()["trouble"]) == (403, "stranger"), origin
            assert "access-control-allow-origin" not in answer.headers
    assert serve().client.get("/api/models", headers={"origin": SITE}).status_code == 403


def test_a_fault_of_ours_is_told_with_the_headers_of_every_answer(serve: Serve, files: Files) -> None:
    def faulty(*_: object, **__: object) -> Prepared:
        raise ZeroDivisionError("with what nobody else should see")

    client = serve(prepare=faulty, origins=(SITE,)).client
    for path in ("/api/prepare", "/api/try-on"):
        answer = client.post(path, files=files, headers={"origin": SITE})
        assert (answer.status_code, answer.json()["trouble"]) == (500, "internal")
        assert "nobody" not in answer.text
        assert HEADERS.items() <= dict(answer.headers).items()
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["access-control-allow-origin"] == SITE
    counted = client.get("/metrics").text
    assert 'lite_vton_requests_total{call="/api/prepare",status="500"} 1.0' in counted
    assert 'lite_vton_errors_total{trouble="internal"} 2.0' in counted
