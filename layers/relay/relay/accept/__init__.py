"""The use case of `accept`: takes events over HTTP and queues them."""
