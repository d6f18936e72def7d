"""From an address to a function and back. Knows no pool and no cache; invokes through a port."""
