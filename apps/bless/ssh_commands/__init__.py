"""`dynimo ssh …`: what people, hosts and operators ask of the SSH certificate authority.

A program beside the service: keys, files, the agent, argument lists and printing. What may be
certified is decided by the CA alone, which is asked through the platform's own verbs.
"""
