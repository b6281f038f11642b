"""Every reader of what comes from outside, as one table."""

from __future__ import annotations

from tests.fuzz import bundle_readers, data_readers, picture_readers, request_readers, training_readers, weight_readers
from tests.fuzz.reader import Reader

__all__ = ["READERS"]

READERS: dict[str, Reader] = {
    row.name: row
    for table in (
        bundle_readers.ROWS,
        picture_readers.ROWS,
        data_readers.ROWS,
        weight_readers.ROWS,
        training_readers.ROWS,
        request_readers.ROWS,
    )
    for row in table
}
