module github.com/jotsuite/jot/ext/pkcs11

go 1.26

require (
	github.com/jotsuite/jot v0.0.0
	github.com/miekg/pkcs11 v1.1.2
)

replace github.com/jotsuite/jot => ../..
