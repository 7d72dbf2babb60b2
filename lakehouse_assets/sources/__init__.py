"""Where a feed's objects come from: landed files and their manifests."""
