"""`python -m lite_vton.bundle > docs/bundle.schema.json`: print the manifest's JSON Schema."""

from __future__ import annotations

import json

from lite_vton.bundle.manifest import schema

if __name__ == "__main__":
    print(json.dumps(schema(), indent=2))
