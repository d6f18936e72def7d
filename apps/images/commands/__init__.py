"""`dynimo images …`: what operators of the image service type. A program beside the service.

Argument lists and printing only: what rules mean is in `rulesets` and `deciding`, and what is asked
of a running server goes through the platform's own verbs (`dynimo.sdk.commands`).
"""
