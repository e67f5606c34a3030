"""AppsFlyer Relay: the layer that every function shares.

The pure core (no I/O, no clock, no environment) is `preparation.prepare` and what it calls:
`mobile`, `web`, `hashing`, `money`, `instants`, `exact_json`, `findings`. Around it stand
`appsflyer` (HTTP), `parameters` (Parameter Store), `queues` (SQS), and the two use cases
`intake` (the HTTP API) and `forwarding` (the queues). Rule numbers such as M4 or T11 are those of
`docs/appsflyer.md`.
"""
