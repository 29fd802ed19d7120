package fetch

import (
	"io"
	"log"
)

// quiet is for servers whose clients leave.
var quiet = log.New(io.Discard, "", 0)
