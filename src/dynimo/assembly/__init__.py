"""Where parts meet, and nowhere else: settings become a running platform."""

from dynimo.assembly.platform import Platform

__all__ = ["Platform"]
