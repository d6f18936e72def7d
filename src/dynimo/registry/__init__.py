"""What functions exist, and all that is known of them. Starts, imports and runs nothing."""
