module github.com/jotsuite/jot/cmd/jot

go 1.26

require (
	github.com/alecthomas/kong v1.17.0
	github.com/jotsuite/jot v0.0.0
	github.com/rogpeppe/go-internal v1.16.0
	golang.org/x/term v0.40.0
)

require (
	golang.org/x/sys v0.41.0 // indirect
	golang.org/x/tools v0.26.0 // indirect
)

replace github.com/jotsuite/jot => ../..
