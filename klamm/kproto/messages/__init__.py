"""One module per API: the request and the response class. Import only what is asked for."""
