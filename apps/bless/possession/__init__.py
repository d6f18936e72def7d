"""Proof of possession: a request that is signed by the key that it is about (SSHSIG)."""
