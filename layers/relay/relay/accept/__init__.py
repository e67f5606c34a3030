"""The use case of `accept`: events over HTTP, onto their queues."""
