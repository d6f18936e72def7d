"""Sandboxes behind ``ports.Sandbox``: ``process`` (forks, isolated) and ``inline`` (for tests)."""
