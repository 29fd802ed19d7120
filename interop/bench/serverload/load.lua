-- The load of serverload. Its arguments are the mode and a file with requests, each ended by a NUL.
--   once     the requests, each sent once
--   again    the one request, again and again
--   rotate   the first is the beginning of a request, the others are the tokens that go behind it; who is answered sends the token of
--            the answer next
local mode, requests, sent, pool, first, last = nil, {}, 0, {}, 1, 0
answered, refused, exhausted, example = 0, 0, 0, ""

local theThread
function setup(t) theThread = t end

function init(args)
  mode = args[1]
  local f = assert(io.open(args[2], "rb"))
  for r in f:read("*a"):gmatch("[^%z]+") do requests[#requests + 1] = r end
  f:close()
  if mode == "rotate" then
    for i = 2, #requests do last = last + 1; pool[last] = requests[i] end
    response = rotated
  end
end

function request()
  if mode == "again" then return requests[1] end
  if mode == "once" then
    sent = sent + 1
    local r = requests[sent]
    if r then return r end
    exhausted = exhausted + 1
    return requests[1]
  end
  local t = pool[first]
  if not t then exhausted = exhausted + 1; return requests[1] .. requests[2] end
  pool[first] = nil
  first = first + 1
  return requests[1] .. t
end

function rotated(status, _, body)
  local t = body:match('"refresh_token":"([^"]+)"')
  if status ~= 200 or not t then
    refused = refused + 1
    example = body
    return
  end
  last = last + 1
  pool[last] = t
end

function done(summary, latency)
  local get = function(name) return theThread:get(name) end
  local e = summary.errors
  io.write(string.format('\nresult {"requests":%d,"micros":%d,"bad":%d,"broken":%d,"exhausted":%d,"p50":%d,"p99":%d,"longest":%d,"example":%q}\n',
    summary.requests, summary.duration, e.status + get("refused"), e.connect + e.read + e.write + e.timeout, get("exhausted"),
    latency:percentile(50), latency:percentile(99), latency.max, get("example")))
end
