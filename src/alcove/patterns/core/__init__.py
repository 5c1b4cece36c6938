"""What the patterns are without a network: keys, codecs, scripts, results and errors."""
