"""Kind `gpus`: the GPUs that are there, against those declared. There is nothing to act on."""
