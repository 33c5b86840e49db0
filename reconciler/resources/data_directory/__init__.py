"""Kind `data_directory`: the node's private directories, the room on their disks, the clock."""
