"""The page and the service, each on a released model alone."""
