"""What functions used, counted once, and what that costs. Runs nothing."""
