"""HTTP/1.1 keep-alive connections; independent of AppsFlyer and AWS."""
