"""Who is turned away when there is more to do than can be done, and in which order."""
