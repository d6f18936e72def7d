"""Runs functions. Knows no client, no HTTP, no app; everything replaceable comes through ports."""
