"""What a hostile function tries, and that it does not get it."""
