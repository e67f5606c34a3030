"""A package of its own, for one of the SDKs puts another of this name beside it."""
