"""Key revocation lists in OpenSSH's binary format: written, read strictly, and asked."""
