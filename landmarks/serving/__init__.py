"""The model over HTTP: what stands behind `landmarks serve`. Needs the extra `app`, no PyTorch."""
