"""Folders of photos: found, recognised, and their places written in forms that others read."""
