"""BLESS's contract: its requests, its settings, its order of work, its answers."""
