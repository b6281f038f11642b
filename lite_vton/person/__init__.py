"""People: keypoints, bodies, parses, the crop around them, and the networks that find them."""
