"""Who is asking, and may they. Knows no function and no HTTP server; keys, signatures, policies."""
