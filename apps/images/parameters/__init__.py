"""The parameters of the native URL: a table that says them all, and what each becomes.

One row a parameter (`row`), read by one reader (`readers`); the other modules hold the rows of one
part of the order and compile them to operations.
"""
