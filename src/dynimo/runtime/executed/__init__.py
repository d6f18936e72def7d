"""Environments that run any program: a supervisor forked from the zygote, and AWS's Runtime API.

The supervisor stands between the platform's frames and a program (``bootstrap``, Node) that asks
for its work over HTTP. It is inside the sandbox, under the same limits as the program, and on a
loopback address of the same network namespace; the platform itself never speaks HTTP with a
function's code. Python functions do not come here, unless a wrapper script starts them.
"""
