"""Makes a student: autoencoder, teacher, distillation, and the figures that judge them."""

from __future__ import annotations

from lite_vton.libraries.telemetry import switch_off

switch_off()
