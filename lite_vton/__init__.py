"""What a try-on is: pictures, keypoints, masks, warps, presets and the bundle on disk."""
