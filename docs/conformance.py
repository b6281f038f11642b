"""Judge a port of lite-vton against a bundle's golden trajectory; numpy alone, made to be copied and translated.

python conformance.py BUNDLE ANSWERS.npz PRECISION     with answers named as there: unet.003.out.out_sample, picture
"""

import json
import sys
from pathlib import Path

import numpy as np


def likeness(found: np.ndarray, wanted: np.ndarray) -> tuple[float, float]:
    """PSNR in dB, its peak being the range of `wanted`, and cosine, over all channels in which `wanted` varies."""
    x, y = found.astype(np.float64), wanted.astype(np.float64)
    varies = np.ptp(y.reshape(*y.shape[:2], -1), axis=(0, 2)) > 0
    error, x, y = ((x - y) ** 2).sum(), x[:, varies], y[:, varies]
    cosine = (x * y).sum() / (np.linalg.norm(x) * np.linalg.norm(y))
    return 10 * np.log10(np.ptp(y) ** 2 / max(error / y.size, 1e-300)), cosine


def main(bundle: str, answers: str, precision: str) -> int:
    """Print a verdict a line; 0 if every answer is there and close enough, else 1."""
    manifest = json.loads(Path(bundle, "manifest.json").read_text(encoding="utf-8"))
    gate, failed = manifest["gates"][precision], 0
    with np.load(Path(bundle, manifest["golden"])) as golden, np.load(answers) as given:
        for key in [key for key in golden.files if ".out." in key]:
            same = key in given.files and given[key].shape == golden[key].shape and np.isfinite(given[key]).all()
            psnr, cosine = likeness(given[key], golden[key]) if same else (0.0, 0.0)
            passed = bool(psnr >= gate["psnr_db"] and cosine >= gate["cosine"])
            failed += not passed
            print(f"{'passed' if passed else 'FAILED'}  {key}: {psnr:.1f} dB, cosine {cosine:.5f}")
        if "picture" in given.files:
            off = np.mean((given["picture"].astype(float) - golden["picture"]) ** 2)
            psnr = 10 * np.log10(255**2 / max(off, 1e-300))
            failed += bool(psnr < gate["picture_psnr_db"])
            print(f"{'FAILED' if psnr < gate['picture_psnr_db'] else 'passed'}  picture: {psnr:.1f} dB")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
