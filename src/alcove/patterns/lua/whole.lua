local function whole(words)
  -- Texts as one, which clients read faster: their lengths, and after a newline they themselves.
  local lengths = {}
  for i, word in ipairs(words) do
    lengths[i] = #word
  end
  return table.concat(lengths, ' ') .. '\n' .. table.concat(words)
end
