-- What is in a cart; it is kept for longer by that. ARGV: ttl.
touch()
return contents()
