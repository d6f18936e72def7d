"""nginx as the edge in production: its configuration, its cache's files, its process.

The configuration is written from values, never edited; what nginx has stored is known from the
files themselves, so that it can be purged by URL, prefix and tag; nginx runs as a child of ours.
Nothing here stores or serves an answer.
"""
