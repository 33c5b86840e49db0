"""The certificate of the public port: a declared one, or one made here once and kept.

`state` and `plan` are pure; `observe` reads, `act` writes; `material` is the only part that knows X.509. The
edge learns of it by one file (`reconciler/routes.py`) and gives it to new connections at once.
"""
