"""AppsFlyer Relay: the layer that every function shares.

The pure core (no I/O, no clock, no environment) is `domain`, `rules` and `messages`. Around it are
`http1`, `aws`, `config`, `stores`, `appsflyer`, `gateway` and `consumer`. On top are the use cases:
`accept`, `installs`, `forward` and `payments` (receive, map). `composition` wires them together.
Rule numbers such as M4 or T11 refer to `docs/appsflyer.md`.
"""
