"""One page for people who would rather look than read: photos, curves, mistakes, words."""
