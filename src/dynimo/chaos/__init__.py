"""Breaks a server of its own on purpose, while clients ask, and says what they saw."""
