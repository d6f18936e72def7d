"""Kinds of sources that libvips' wheel does not read, or not from strangers: one module each.

Each gives an `opened.Opened`: its size, judged by the limits, and a way to draw it.
"""
