"""The toolkit's blocking classes, derived from `alcove.patterns.asyncio`: only `runtime` is written by hand."""
