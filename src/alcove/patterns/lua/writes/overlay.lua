-- The changes of a key that the store may not have yet. ARGV: key. Answers {field, value ...}.
local fields = {}
for _, from in ipairs({dead, flying, pending}) do
  local write = load(from, ARGV[1])
  if write then
    fields = merge(fields, write[4])
  end
end
return fields
