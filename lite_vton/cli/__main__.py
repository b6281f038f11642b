"""`python -m lite_vton.cli`, for where the script is not on the path."""

from __future__ import annotations

import sys

from lite_vton.cli import main

sys.exit(main())
