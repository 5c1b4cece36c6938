local function whole(words)
  -- Texts as one, a line for each, which clients read faster; as they are where one has several lines.
  if #words == 0 or string.find(table.concat(words), '\n', 1, true) then
    return words
  end
  return table.concat(words, '\n')
end
