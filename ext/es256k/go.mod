module github.com/jotsuite/jot/ext/es256k

go 1.26

require (
	github.com/decred/dcrd/dcrec/secp256k1/v4 v4.4.1
	github.com/jotsuite/jot v0.0.0
)

replace github.com/jotsuite/jot => ../..
