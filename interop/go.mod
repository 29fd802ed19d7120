module github.com/jotsuite/jot/interop

go 1.26

require github.com/jotsuite/jot v0.0.0

replace github.com/jotsuite/jot => ..
