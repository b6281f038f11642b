"""Dress the person of one photo in the garment of another.

    python examples/01_two_photos.py BUNDLE PERSON GARMENT RESULT

The result is as large as the person's photo; outside the repainted region every pixel is the photo's own.
"""

from __future__ import annotations

import sys

from lite_vton import Bundle, TryOn
from lite_vton.photo.files import load_photo, save_photo
from lite_vton.tryon.photos import prepare_photos
from lite_vton.tryon.prepare import into_photo

path, person_file, garment_file, result_file = sys.argv[1:]

bundle = Bundle.open(path)
model_config = bundle.manifest.model
person, garment = load_photo(person_file), load_photo(garment_file)

# Finds the person and the garment, decides what is repainted, and bends the garment onto the body.
prepared = prepare_photos(person, garment, model_config.height, model_config.width, mask=model_config.mask)

with TryOn(bundle, backend="onnxruntime") as model:
    result = model(prepared.inputs, seed=0)

save_photo(result_file, into_photo(person, prepared, result.picture), person.icc_profile)
