"""From an archive of photos to batches of pixels."""
