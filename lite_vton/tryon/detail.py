"""What the autoencoder cannot hold: stripes, prints and letters, given back where the network left the warp as it was.

A latent holds one number for dozens of pixels. Fine stripes come out blurred, or in another hue, however well the
network paints. What is lost of the pasted warp is known, though: the difference between it and its own reconstruction.
Where the painted picture is like that reconstruction, the difference is added back; where the network put something
else (an arm, a fold, another hem), its own stays.
"""

from __future__ import annotations

import numpy as np

from lite_vton.tryon.inputs import FloatArray

__all__ = ["AGREEMENT", "COARSE", "carry_detail"]

COARSE = 1 / 256
"""Standard deviation of the blur before painted picture and reconstruction are compared, in picture heights."""

AGREEMENT = 0.16
"""Root mean square difference of the colours, in [-1, 1] units, at which trust has fallen to 1 / e.

Both constants were chosen on 32 drawn pairs of another seed than any that is reported on.
"""


def carry_detail(painted: FloatArray, composite: FloatArray, reconstruction: FloatArray) -> FloatArray:
    """`painted` with what `reconstruction` lacks of `composite`, as far as it is like `reconstruction`.

    All (1, 3, H, W), about [-1, 1]. `composite` is the masked person with the garment pasted in, `reconstruction` what
    the autoencoder makes of it. Trust falls smoothly with disagreement, so pictures that differ by rounding stay as
    close as they were. Not clipped.
    """
    import cv2

    apart = np.ascontiguousarray((painted - reconstruction)[0].transpose(1, 2, 0), np.float32)
    coarse = cv2.GaussianBlur(apart, (0, 0), COARSE * apart.shape[0])
    trust = np.exp(-np.square(coarse).mean(axis=2) / AGREEMENT**2)
    return np.ascontiguousarray(painted + trust * (composite - reconstruction), np.float32)
