"""The programs that Dynimo is measured beside, and Dynimo itself, each behind one shape.

One file per program: how it is installed (into the bench's data folder, never into the project),
started with its best fair settings, and asked for a picture. No timing here.
"""
