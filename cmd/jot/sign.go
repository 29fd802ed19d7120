package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sort"
	"strings"
	"time"

	"github.com/jotsuite/jot/jose/jwk"
	"github.com/jotsuite/jot/jose/jwt"
)

type signCmd struct {
	Claims       string   `arg:"" optional:"" help:"@FILE or - with the claims as a JSON object."`
	Key          string   `placeholder:"FILE" help:"The private key to sign with: a JWK, PEM or DER, or - for stdin."`
	SecretFile   string   `placeholder:"FILE" help:"The secret to sign with: the bytes of FILE without one final newline."`
	Alg          string   `placeholder:"ALG" words:"signatures" help:"The algorithm of a key that names none."`
	Typ          string   `placeholder:"TYPE" help:"The typ of the header, such as at+jwt."`
	Claim        []string `sep:"none" placeholder:"NAME=TEXT|NAME:=JSON" help:"A claim: a string after =, any JSON after :=. Repeats."`
	Iss          string   `placeholder:"ISSUER" help:"The iss claim."`
	Sub          string   `placeholder:"SUBJECT" help:"The sub claim."`
	Aud          []string `sep:"none" placeholder:"AUDIENCE" help:"The aud claim. Repeats."`
	Jti          string   `placeholder:"ID" help:"The jti claim."`
	Exp          string   `placeholder:"TIME" help:"When the token ends: 1h from now, or 2026-09-30T12:00:00Z."`
	Nbf          string   `placeholder:"TIME" help:"When the token starts, as with --exp."`
	NoExp        bool     `name:"no-exp" help:"Make a token that never ends."`
	NoIat        bool     `name:"no-iat" help:"Leave out the time of issue."`
	AllowWeakKey bool     `help:"Accept a secret shorter than its hash. Anyone can guess it."`
	Now          string   `placeholder:"TIME" help:"The time of issue, as 2026-09-30T12:00:00Z."`

	passwordFlags `embed:""`
}

func (*signCmd) Help() string {
	return `The claims of the file and of the options are put together; the same claim twice is refused, and so is a token without exp unless --no-exp asks for it. iat is the time of now unless the claims have one. Secrets and keys are read from files, never from arguments.`
}

func (c *signCmd) Run(a *app) error {
	now, err := a.now(c.Now)
	if err != nil {
		return err
	}
	if (c.Key == "") == (c.SecretFile == "") {
		return fail(exitUsage, "make a key with: jot key new ES256 -o key.json", "give one of --key and --secret-file")
	}
	alg, err := algorithm(c.Alg)
	if err != nil {
		return err
	}
	claims, err := c.claims(a, now)
	if err != nil {
		return err
	}
	var key jwk.Signer
	if c.SecretFile != "" {
		key, err = a.in.secretFile(c.SecretFile, alg, c.AllowWeakKey)
	} else {
		var f *keyFile
		if f, err = a.in.keys(c.Key, c.passwordFlags); err == nil {
			key, err = a.signer(f, alg, c.AllowWeakKey)
		}
	}
	if err != nil {
		return err
	}
	if err := otherAlgorithm(c.Key, key.Algorithm(), alg); err != nil {
		return err
	}
	var options []jwt.SignOption
	if c.NoExp {
		options = append(options, jwt.AllowMissingExpiry)
	}
	token, err := jwt.Sign(context.Background(), key, jwt.Header{Type: c.Typ}, claims.registered, claims.others, options...)
	if err != nil {
		return fail(exitRefused, "", "cannot sign: %v%s", err, inCode(err))
	}
	a.data(token + "\n")
	return nil
}

// claimSet is claims as jwt.Sign takes them.
type claimSet struct {
	registered jwt.Registered
	others     map[string]json.RawMessage
}

// claims puts the claims together.
func (c *signCmd) claims(a *app, now time.Time) (*claimSet, error) {
	all := map[string]json.RawMessage{}
	add := func(name string, raw json.RawMessage) error {
		if _, ok := all[name]; ok {
			return fail(exitUsage, "give each claim once", "the claim %s is given twice", quoted(name))
		}
		all[name] = raw
		return nil
	}
	document, err := a.in.document(c.Claims)
	if err != nil {
		return nil, err
	}
	if document != nil {
		if err := noDuplicates(document); err != nil {
			return nil, fail(exitUnreadable, "the claims are one JSON object", "the claims cannot be read: %v", err)
		}
		if json.Unmarshal(document, &all) != nil || all == nil {
			return nil, fail(exitUnreadable, "write them as {…}", "the claims are not a JSON object")
		}
	}
	for _, claim := range c.Claim {
		name, raw, err := parseClaim(claim)
		if err != nil {
			return nil, err
		}
		if err := add(name, raw); err != nil {
			return nil, err
		}
	}
	set := &claimSet{}
	for _, f := range []struct{ name, value string }{{"iss", c.Iss}, {"sub", c.Sub}, {"jti", c.Jti}} {
		if f.value == "" {
			continue
		}
		if err := add(f.name, asJSON(f.value)); err != nil {
			return nil, err
		}
	}
	if len(c.Aud) > 0 {
		if err := add("aud", asJSON(c.Aud)); err != nil { // jwt.Sign writes a single one as a string
			return nil, err
		}
	}
	for _, f := range []struct{ name, value string }{{"exp", c.Exp}, {"nbf", c.Nbf}} {
		if f.value == "" {
			continue
		}
		t, err := pointInTime(f.name, f.value, now)
		if err == nil {
			err = add(f.name, fmt.Append(nil, t.Unix()))
		}
		if err != nil {
			return nil, err
		}
	}
	if _, ok := all["iat"]; !ok && !c.NoIat {
		all["iat"] = fmt.Append(nil, now.Unix())
	}
	if _, ok := all["exp"]; !ok && !c.NoExp {
		return nil, fail(exitUsage, "give --exp 1h, or --no-exp for a token that never ends", "the token has no exp")
	}
	if err := set.take(all); err != nil {
		return nil, err
	}
	set.others = all
	return set, nil
}

// take moves the registered claims out of all.
func (s *claimSet) take(all map[string]json.RawMessage) error {
	text := func(p *string) func(json.RawMessage) error {
		return func(raw json.RawMessage) error { return json.Unmarshal(raw, p) }
	}
	date := func(p *time.Time) func(json.RawMessage) error {
		return func(raw json.RawMessage) error {
			t, ok := numericDate(raw)
			if !ok {
				return errors.New("want a number of seconds since 1970")
			}
			*p = t
			return nil
		}
	}
	r := &s.registered
	readers := map[string]func(json.RawMessage) error{
		"iss": text(&r.Issuer), "sub": text(&r.Subject), "jti": text(&r.ID),
		"exp": date(&r.Expiry), "nbf": date(&r.NotBefore), "iat": date(&r.IssuedAt),
		"aud": func(raw json.RawMessage) error {
			var one string
			if json.Unmarshal(raw, &one) == nil && raw[0] == '"' {
				r.Audience = jwt.Audience{one}
				return nil
			}
			return json.Unmarshal(raw, (*[]string)(&r.Audience))
		},
	}
	names := make([]string, 0, len(readers))
	for name := range readers {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		raw, ok := all[name]
		if !ok {
			continue
		}
		delete(all, name)
		if string(bytes.TrimSpace(raw)) == "null" {
			return fail(exitUsage, "leave it out instead", "the claim %s is null", name)
		}
		if err := readers[name](raw); err != nil {
			return fail(exitUsage, "see jot explain "+name, "the claim %s has the wrong type", name)
		}
	}
	return nil
}

// parseClaim reads NAME=TEXT or NAME:=JSON.
func parseClaim(s string) (string, json.RawMessage, error) {
	name, value, ok := strings.Cut(s, "=")
	isJSON := ok && strings.HasSuffix(name, ":")
	name = strings.TrimSuffix(name, ":")
	if !ok || name == "" {
		return "", nil, fail(exitUsage, "write NAME=TEXT for a string, NAME:=JSON for anything else", "--claim %s has no name and value", quoted(s))
	}
	if !isJSON {
		return name, asJSON(value), nil
	}
	raw := json.RawMessage(value)
	if err := noDuplicates(raw); err != nil {
		return "", nil, fail(exitUsage, "a string is written NAME=TEXT, without the colon", "--claim %s is not JSON: %v", quoted(name), err)
	}
	return name, raw, nil
}

// asJSON is a string, or a list of them, as JSON.
func asJSON[T string | []string](v T) json.RawMessage {
	raw, _ := json.Marshal(v) // no string is refused
	return raw
}

// pointInTime reads a time, or a duration from now.
func pointInTime(name, s string, now time.Time) (time.Time, error) {
	if d, err := time.ParseDuration(s); err == nil {
		return now.Add(d), nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return t, fail(exitUsage, "write it as 1h, 90m or 2026-09-30T12:00:00Z", "--%s %s is neither a duration nor a time", name, quoted(s))
	}
	return t, nil
}

// noDuplicates reads one JSON value and refuses a name that an object has twice.
// encoding/json would keep the last without a word.
func noDuplicates(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	switch err := walk(d, 0); {
	case errors.Is(err, io.EOF):
		return errors.New("it ends too early")
	case err != nil:
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the value")
	}
	return nil
}

func walk(d *json.Decoder, depth int) error {
	if depth > 100 {
		return errors.New("it is nested too deeply")
	}
	t, err := d.Token()
	if err != nil {
		return err
	}
	open, ok := t.(json.Delim)
	if !ok {
		return nil
	}
	seen := map[string]bool{}
	for d.More() {
		if open == '{' {
			name, _ := d.Token() // the decoder repeats its error for the value
			if s, ok := name.(string); ok {
				if seen[s] {
					return fmt.Errorf("the name %s occurs twice", quoted(s))
				}
				seen[s] = true
			}
		}
		if err := walk(d, depth+1); err != nil {
			return err
		}
	}
	_, err = d.Token()
	return err
}
