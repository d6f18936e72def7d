"""Keys that never leave: made, kept, encrypted with and signed with, behind the KMS's API.

Pure files say what a key can do and how a ciphertext looks; ``keys`` acts on them over an engine.
"""
