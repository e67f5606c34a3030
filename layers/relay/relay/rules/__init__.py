"""AppsFlyer's rules: from an event to what is sent, and what is wrong with it. Pure."""
