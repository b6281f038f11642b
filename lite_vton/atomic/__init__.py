"""How everything of this project is written: whole or not at all, by one process at a time, over nothing but our own.

`whole_file` and `whole_folder` give a draft to fill, which takes its place at the end. `claim` and `claim_inside` keep
other processes away from an output while there is work to do for it. A process may be killed at any instruction: what
lies under an output's name is then the old or the new content, whole, and the next command that writes there removes
what the killed one left. `scratch_folder` is the same for what no output is made of.
"""

from lite_vton.atomic.claims import AtWorkError, Claim, claim, claim_inside, complete, is_vacant, scratch_folder
from lite_vton.atomic.writing import whole_file, whole_files, whole_folder, write_text

__all__ = [
    "AtWorkError",
    "Claim",
    "claim",
    "claim_inside",
    "complete",
    "is_vacant",
    "scratch_folder",
    "whole_file",
    "whole_files",
    "whole_folder",
    "write_text",
]
