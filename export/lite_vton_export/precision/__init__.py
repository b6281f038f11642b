"""Rules of precision that all formats share: what fp16 and int8 leave in float32, and why."""
