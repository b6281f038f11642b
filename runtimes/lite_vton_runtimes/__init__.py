"""Runs a bundle: one sampler for every backend, and one file a backend."""

from __future__ import annotations

from lite_vton.libraries.telemetry import switch_off

switch_off()
