"""The journal: what became of each event, from its entry to AppsFlyer's record."""
