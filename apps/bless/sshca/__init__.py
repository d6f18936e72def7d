"""OpenSSH's own bytes: public keys, certificates, signatures. Pure; no network, no settings."""
