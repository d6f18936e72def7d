"""What functions wrote, kept and found again. Knows no function and no HTTP."""
