"""The page: photos in, places out; what both CNNs are worth; what this is."""
