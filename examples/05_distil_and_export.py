"""Distil a small student from a teacher on drawn people, and export it: the whole chain from Python.

    python examples/05_distil_and_export.py FOLDER

Two steps of each training show the way; they do not make a good model. FOLDER must not exist.
"""

from __future__ import annotations

import sys
from pathlib import Path

from lite_vton.data.drawn.dataset import synthesize
from lite_vton.workflows.export import export_model
from lite_vton.workflows.train.pairs import TrainingData
from lite_vton.workflows.train.train import Lessons, Schooling, distill_model, train_model


def main(folder: Path) -> None:
    """Everything below `folder`: data, teacher, student, bundle."""
    synthesize(folder / "data", 4, seed=0, test_share=0.25)
    data, short = TrainingData(folder / "data"), Schooling(steps=2, batch_size=2, learning_rate=1e-3, seed=0)
    train_model("tiny-teacher", data, folder / "teacher", short)
    distill_model("tiny", str(folder / "teacher"), data, folder / "student", short, Lessons("output"))
    _, report, _ = export_model(str(folder / "student"), folder / "bundle", ["onnx"], ["fp32", "fp16"], steps=2)
    print(report)


if __name__ == "__main__":  # pictures are read by processes that import this file again
    main(Path(sys.argv[1]))
