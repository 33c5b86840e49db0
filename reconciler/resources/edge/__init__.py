"""The public listener: Envoy as a managed child, told by files what to do.

`state` and `config` and `plan` are pure; `observe` looks and `act` changes. It knows nothing of what serves
behind it but the endpoints file.
"""
