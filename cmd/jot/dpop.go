package main

import (
	"context"
	"errors"
	"strings"

	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/profile/dpop"
)

type dpopCmd struct {
	Proof dpopProofCmd `cmd:"" help:"Make a proof for one HTTP request."`
}

type dpopProofCmd struct {
	Key       string `required:"" placeholder:"FILE" help:"The private key to prove: a JWK, PEM or DER, or - for stdin."`
	Alg       string `placeholder:"ALG" words:"signatures" help:"The algorithm of a key that names none."`
	Method    string `default:"GET" placeholder:"METHOD" help:"The method of the request, in its case. GET unless given."`
	URL       string `name:"url" required:"" placeholder:"URL" help:"The URL of the request. Its query and fragment are left out."`
	TokenFile string `placeholder:"FILE" help:"The access token that goes with the request, in FILE or - for stdin. To a token endpoint there goes none."`
	Nonce     string `placeholder:"NONCE" help:"The DPoP-Nonce of the server's last answer."`
	Jti       string `placeholder:"ID" help:"The jti claim. A new one unless given."`
	Now       string `placeholder:"TIME" help:"The time of the proof, as 2026-09-30T12:00:00Z."`

	passwordFlags `embed:""`
}

func (*dpopProofCmd) Help() string {
	return `The proof goes into the header DPoP of the one request that it is made for, and the access token into Authorization: DPoP. Its public key is in it; the server compares that with the key that the access token is bound to, whose thumbprint jot key thumbprint prints. Keys and tokens are read from files, never from arguments.`
}

func (c *dpopProofCmd) Run(a *app) error {
	now, err := a.now(c.Now)
	if err != nil {
		return err
	}
	alg, err := algorithm(c.Alg)
	if err != nil {
		return err
	}
	claims := dpop.Claims{Method: c.Method, URL: c.URL, Nonce: c.Nonce}
	if c.TokenFile != "" {
		text, err := a.in.text(c.TokenFile, theToken)
		if err != nil {
			return err
		}
		token := strings.TrimSpace(text)
		if strings.ContainsAny(token, " \t\r\n") {
			return fail(exitUnreadable, "give a file with the token alone, without the word before it", "%s holds more than a token", label(c.TokenFile))
		}
		claims.TokenHash = dpop.TokenHash(token)
	}
	f, err := a.in.keys(c.Key, c.passwordFlags)
	if err != nil {
		return err
	}
	key, err := a.signer(f, alg, false)
	if err != nil {
		return err
	}
	if err := otherAlgorithm(c.Key, key.Algorithm(), alg); err != nil {
		return err
	}
	if key.Algorithm().Symmetric() {
		return fail(exitNoKey, "make a key with: jot key new ES256 -o key.json", "%s holds a secret, and a proof shows its key to everyone [key.private]", label(c.Key))
	}
	if upper := strings.ToUpper(c.Method); c.Method != upper {
		a.warn("methods are compared in their case: %s is not %s", quoted(c.Method), upper)
	}
	proof, err := dpop.Sign(context.Background(), key, jwt.Registered{ID: c.Jti, IssuedAt: now}, claims)
	if err != nil { // which the key is not to blame for
		hint := ""
		if refused, ok := errors.AsType[*jwt.ClaimError](err); ok && refused.Claim == "htu" {
			hint = "write it as https://api.example/orders"
		}
		return fail(exitUsage, hint, "no server would take the proof: %v", err)
	}
	a.data(proof + "\n")
	return nil
}
