"""The public HTTP cache test suite (npm: http-cache-tests), run against the real program."""
