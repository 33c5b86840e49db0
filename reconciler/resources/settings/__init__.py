"""Kind `settings`: every field of the runtime's document that it takes while serving."""
