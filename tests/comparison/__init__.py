"""Random commands of every family, run on a real server and on Alcove: replies and final contents must be the same.

A family is a module here, named after its command file, with

- `generate(chance: random.Random) -> list[bytes]`: one random command. Use few keys (`KEYS` below, so that commands
  meet), all options, wrong types and bad numbers now and then. `chance` may be driven by Hypothesis, so take every
  decision from it. No relative deadlines below 100 seconds; deadlines in the past are fine.
- optionally `KNOWN: list[Known]`: differences that are meant, each with its reason.
- optionally `UNORDERED: set[bytes]`: command names whose reply is a multiset.
- optionally `mirror(argv, theirs) -> list[bytes]`: what Alcove runs instead, given what the real server answered:
  how commands that draw by chance are compared (SPOP becomes SREM of what was popped).
- optionally `accept(argv, theirs, ours) -> bool`: a comparison of its own for one command; called first.
- optionally `NEWER: set[bytes]`: names of commands the servers do not have; such a command is skipped on a server
  that answers "unknown command" and then runs on neither.
"""
