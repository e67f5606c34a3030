"""`relay identities`: imports AppsFlyer's raw-data reports of installs. And `relay forget`."""
