"""What an export says of itself in `manifest.json`, and whether that is what its files say."""
