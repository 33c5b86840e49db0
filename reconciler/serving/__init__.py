"""What the operator hands to the runtime: its document, its control socket, its size, its measured preset.

Several resource kinds meet here (the process, its settings, the presets): kinds never import each other.
"""
