module github.com/jotsuite/jot/cmd/jot

go 1.26

require github.com/jotsuite/jot v0.0.0

replace github.com/jotsuite/jot => ../..
