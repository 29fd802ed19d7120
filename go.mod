module github.com/jotsuite/jot

go 1.26
