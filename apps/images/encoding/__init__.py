"""How pictures become bytes: the settings of each format, and the searches for the right ones."""
