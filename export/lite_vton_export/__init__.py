"""Turns a trained checkpoint into artifacts, and checks each one before it may stay."""

from __future__ import annotations

from lite_vton.libraries.telemetry import switch_off

switch_off()
