"""Kind `runtime`: the process that serves jobs, and which process the edge sends new requests to."""
