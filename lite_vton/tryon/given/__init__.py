"""What is given beside a photo, keypoints, masks and parses, and whether it can belong to that photo.

Everything that takes such files asks here before it works on them. What is wrong is said by what it looks like.
"""

from __future__ import annotations

from lite_vton.tryon.given.person import Names, check_person
from lite_vton.tryon.given.witnesses import Witnesses, look

__all__ = ["Names", "Witnesses", "check_person", "look"]
