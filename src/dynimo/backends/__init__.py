"""The replaceable parts behind ``ports``: one file a backend. Backends do not know each other."""
