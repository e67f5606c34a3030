"""`relay identities`: AppsFlyer's raw-data reports of installs, into the identities."""
