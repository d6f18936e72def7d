"""HTTP itself. Knows no word of Dynimo: no function, no cache, no route."""
