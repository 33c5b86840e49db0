"""Kind `presets`: what `video.preset: auto` comes to on this machine, measured before it serves."""
