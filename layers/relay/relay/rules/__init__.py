"""AppsFlyer's rules: turns an event into its payload and its findings. Pure."""
