"""What runs inside a sandbox: zygote, environments, and the wire to them.

Standard library only, and nothing that the platform does: this code shares a process with
strangers' handlers, so it is kept small and holds no secrets.
"""
