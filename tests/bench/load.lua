-- Asks for the addresses of a file in turn: path, then headers, divided by tabs. Says at the end what became of it.
local asked, at = {}, 0

function init(args)
  for line in io.lines(args[1]) do
    local path, headers = nil, {}
    for part in line:gmatch("[^\t]+") do
      if path == nil then path = part
      else local name, value = part:match("^([^:]+): (.*)$"); headers[name] = value end
    end
    headers["Host"] = "127.0.0.1"
    asked[#asked + 1] = wrk.format("GET", path, headers)
  end
end

function request()
  at = at % #asked + 1
  return asked[at]
end

function done(summary)
  local lost = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  io.write(string.format("RESULT %d %d %d %d\n", summary.requests, summary.duration, summary.errors.status, lost))
end
