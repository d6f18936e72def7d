"""AWS's own protocols over the platform: thin, exact, and nothing of the platform's decisions."""
