"""Runs Lua in an engine and shows what it answers as one text, so that a table of cases says it all."""

from __future__ import annotations

import alcove.commands  # noqa: F401 (declares the commands)
from alcove.engine.engine import Engine
from alcove.errors import CommandError

# A number is shown exactly, a string in quotes with what cannot be read as \ddd, a table as its sorted fields.
SHOW = rb"""
local function show(value)
  if type(value) == "number" then
    return string.format("%%.17g", value)
  elseif type(value) == "string" then
    return '"' .. value:gsub("[^ -~]", function(c) return string.format("\\%%03d", c:byte()) end) .. '"'
  elseif type(value) ~= "table" then
    return tostring(value)
  end
  local fields = {}
  for key, field in pairs(value) do
    fields[#fields + 1] = "[" .. show(key) .. "]=" .. show(field)
  end
  table.sort(fields)
  return "{" .. table.concat(fields, " ") .. "}"
end
local function show_all(ok, ...)
  local texts = {}
  for position = 1, select("#", ...) do
    texts[position] = ok and show((select(position, ...))) or (...)
  end
  return table.concat(texts, ", ")
end
return show_all(pcall(function() %s end))
"""
# Lines before the one where the shown chunk stands.
LINES = SHOW[: SHOW.index(b"%s")].count(b"\n") + 1


def script(source: str) -> bytes:
    """The script that runs a chunk (or answers an expression's values) and shows what it returns or raises."""
    # Not returned at once: a call in a return statement leaves no line for its errors to name.
    if "return " not in source:
        source = f"local function values(...) return ... end return values({source})"
    return SHOW % source.encode("latin-1")


def shown(source: str, *arguments: bytes) -> str:
    """What a chunk of Lua, or an expression, returns: its values, or its error as `! text`, without the line number."""
    engine = Engine()
    session = engine.connect("embedded")
    try:
        reply = engine.execute(session, [b"EVAL", script(source), b"0", *arguments])
    finally:
        engine.close()
    if isinstance(reply, CommandError):
        raise AssertionError(reply.text)
    text = bytes(reply).decode("latin-1")
    return text.replace(f"user_script:{LINES}: ", "! ")
