"""What makes the data outlive the process: snapshots, the append-only file, and the folder that holds them."""
