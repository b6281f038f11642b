"""A checker of Core ML packages, not a runtime: it reads a saved package back and computes what its program says.

Core ML itself runs on Apple's systems alone. What leaves our machine is still a program of some forty kinds of
operation with its weights in a file, and this computes them one after another on the CPU, in the types the program
declares: a float16 tensor is rounded to float16 after each operation, a product is summed in float32 and then rounded,
weights in palettes or 8 bits are expanded as the program says. So a wrong weight, type or wire is found where the
package is made. What it cannot know is how the Neural Engine rounds inside an operation.

    values            an operation's operands, and rounding to a declared type
    elementwise, shapes, products, normalisation, resampling, constexpr
                      one small function an operation kind, by family
    operations        the table of all of them
    evaluator         a program as a function from numpy to numpy
    runtime           the packages of a bundle as a `lite_vton_runtimes.base.Runtime`
"""

from __future__ import annotations

from lite_vton_export.coreml.evaluator.evaluator import Evaluator
from lite_vton_export.coreml.evaluator.runtime import CoreMLEvaluator

__all__ = ["CoreMLEvaluator", "Evaluator"]
