"""Dynimo runs work on demand. Here lives the version and nothing else: sandboxes import this."""

__version__ = "0.1.0"
