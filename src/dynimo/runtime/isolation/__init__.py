"""What a process gives up before it runs a stranger's code: one module a measure, ctypes only.

Every function here applies to the calling process and raises ``OSError`` when the kernel refuses;
nothing is retried or softened. ``plan`` says what to apply, ``entering`` in which order, ``probe``
what this host allows.
"""
