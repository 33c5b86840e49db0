"""Connections per address on the public port, by the machine's packet filter where we may use it.

`state`, `rules` and `plan` are pure; `observe` and `act` run `nft`. The edge itself can count connections
per listener only; a stranger that takes all of them is stopped here.
"""
