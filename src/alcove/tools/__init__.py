"""What the command line does besides serving: checks and repairs files, writes data as text and reads it again."""
