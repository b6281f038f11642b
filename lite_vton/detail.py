"""Fine cloth past the autoencoder: stripes, prints and letters, carried over from the warp where the network agrees.

A latent holds one number for dozens of pixels, so what is finer than a latent position comes out blurred, however well
the network paints. The warped garment has that detail, in about the right place. Where painted picture and warp agree
once both are blurred, the warp's detail is trusted; where the network put something else (an arm, a fold, another hem),
its own stays.
"""

from __future__ import annotations

import numpy as np

from lite_vton.inputs import FloatArray

__all__ = ["AGREEMENT", "COARSE", "carry_detail"]

COARSE = 3 / 256
"""Standard deviation of the blur that parts coarse from fine, in picture heights: about a latent position's reach."""

AGREEMENT = 0.16
"""Root mean square difference of the coarse colours, in [-1, 1] units, at which trust has fallen to 1 / e.

Both constants were chosen on 28 drawn pairs of another seed than any that is reported on.
"""


def carry_detail(painted: FloatArray, composite: FloatArray) -> FloatArray:
    """`painted` with the fine part of `composite` where their coarse parts agree. Both (1, 3, H, W), about [-1, 1].

    `composite` is the masked person with the garment pasted in. Trust falls smoothly with disagreement, so pictures
    that differ by rounding stay as close as they were. Not clipped.
    """
    import cv2

    ours, theirs = (np.ascontiguousarray(p[0].transpose(1, 2, 0), np.float32) for p in (painted, composite))
    deviation = COARSE * ours.shape[0]
    ours_coarse, theirs_coarse = (cv2.GaussianBlur(p, (0, 0), deviation) for p in (ours, theirs))
    apart = np.square(ours_coarse - theirs_coarse).mean(axis=2, keepdims=True)
    trust = np.exp(-apart / AGREEMENT**2)
    fine = (theirs - theirs_coarse) - (ours - ours_coarse)
    return np.ascontiguousarray((ours + trust * fine).transpose(2, 0, 1)[None], np.float32)
