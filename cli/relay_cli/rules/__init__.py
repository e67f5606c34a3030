"""`relay rule`: a rule of AppsFlyer's, with its source and an example."""
