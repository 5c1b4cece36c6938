"""Kills programs at random moments, over and over, and looks whether anything that was acknowledged is lost.

`python -m tests.torture` has the options. A program is `alcove serve` with writers connected to it, or one with the
engine and the writers within (`embedder`). What writers do stands in `writers`, what is killed and looked at in
`rounds`.
"""
