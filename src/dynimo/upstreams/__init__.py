"""Servers that others run, asked over HTTP/1.1. Knows no cache, no route and no function."""
