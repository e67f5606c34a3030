"""The use case of `forward_mobile` and `forward_web`: events from a queue to AppsFlyer."""
