"""Proves from outside that an orchestrator serves: what a gateway would find, check by check.

`examine` runs every check against a URI and yields findings as they come; a check that depends on a failed
one is skipped and says so. It speaks as a gateway does, through the same client, and ends the sessions that
it starts. It prints nothing: `reconcile doctor` does.
"""
