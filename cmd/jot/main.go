// Command jot looks into JSON Web Tokens, verifies, signs, encrypts and decrypts them,
// and makes the keys for it.
//
//	jot inspect page.html        finds every token in any text; trusts none
//	jot verify - --key FILE …    every check, and the payload only when all hold
//	jot sign --key FILE …        a token from claims
//	jot encrypt --key FILE …     to a public key, a shared one or with a password
//	jot decrypt --key FILE …     what is inside, as it is
//	jot key new ES256            a private key as a JWK
//	jot serve                    an authorization server
//	jot explain aud              what a claim, an error or an algorithm means
//
// Data goes to stdout and talk to stderr. The exit codes are 0 done, 1 refused,
// 2 usage, 3 unreadable token or key, 4 no key fits, 5 file or URL not to be had.
package main

import "os"

func main() { os.Exit(runProcess()) }
