module github.com/jotsuite/jot/ext/mldsa

go 1.26

require (
	filippo.io/mldsa v1.0.0
	github.com/jotsuite/jot v0.0.0
)

replace github.com/jotsuite/jot => ../..
