-- Milliseconds that a connection of wrk rests before its next request.
function delay()
  return 20
end
