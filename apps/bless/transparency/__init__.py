"""The audit of issued certificates: an append-only Merkle log that anybody can check offline."""
