package oauth

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The schemes of access tokens, as they stand in Authorization and WWW-Authenticate, and as token_type.
const (
	Bearer = "Bearer" // RFC 6750
	DPoP   = "DPoP"   // RFC 9449
)

// The limits on what is read of WWW-Authenticate.
const (
	maxChallengeBytes = 16 << 10
	maxChallenges     = 16
	maxChallengeParam = 32
)

// Challenge is one challenge of a WWW-Authenticate header: how a resource is to be asked for (RFC 9110, Section 11.6.1).
// The members that have a meaning here are read and written for Bearer and DPoP; those of another scheme are all in Params.
type Challenge struct {
	Scheme string // Bearer, DPoP, or another
	Realm  string

	Error            *Error         // RFC 6750, Section 3.1: nil where the request had no token
	Scope            Scopes         // RFC 6750, Section 3: what the resource asks for
	ACRValues        []string       // RFC 9470, Section 3
	MaxAge           *time.Duration // the same; whole seconds
	Algs             []string       // RFC 9449, Section 7.1: of proofs
	ResourceMetadata string         // RFC 9728, Section 5.1: a URL

	Token68 string            // what other schemes may have in place of parameters
	Params  map[string]string // other parameters, by their names in lower case
}

// String returns the challenge as it stands in the header. Characters that no parameter can have are replaced. RFC 6750,
// Section 3, wants at least one parameter: a realm where there is nothing else to say.
func (c Challenge) String() string {
	if c.Token68 != "" {
		return c.Scheme + " " + c.Token68
	}
	var b strings.Builder
	b.WriteString(c.Scheme)
	sep := " "
	add := func(name, value string) {
		b.WriteString(sep + name + `="`)
		for _, r := range value {
			switch {
			case r == '"' || r == '\\':
				b.WriteByte('\\')
			case r < ' ' || r > '~':
				r = '?'
			}
			b.WriteRune(r)
		}
		b.WriteByte('"')
		sep = ", "
	}
	set := func(name, value string) {
		if value != "" {
			add(name, value)
		}
	}
	set("realm", c.Realm)
	if c.Error != nil {
		for _, name := range []string{"error", "error_description", "error_uri"} {
			set(name, c.Error.Values().Get(name))
		}
	}
	set("scope", c.Scope.String())
	set("acr_values", strings.Join(c.ACRValues, " "))
	if c.MaxAge != nil {
		add("max_age", strconv.FormatInt(int64(*c.MaxAge/time.Second), 10))
	}
	set("algs", strings.Join(c.Algs, " "))
	set("resource_metadata", c.ResourceMetadata)
	for _, name := range slices.Sorted(maps.Keys(c.Params)) {
		if isToken(name) {
			add(name, c.Params[name])
		}
	}
	return b.String()
}

var errChallenge = errors.New("oauth: WWW-Authenticate is malformed")

func malformed(why string) error { return fmt.Errorf("%w: %s", errChallenge, why) }

// ParseChallenges reads the WWW-Authenticate headers of a response, as r.Header.Values returns them: at most 16
// challenges in 16 KiB. It is strict: one that is malformed, or has a parameter twice, refuses all, because a reader
// who guesses takes the one challenge for a part of the other.
func ParseChallenges(header []string) ([]Challenge, error) {
	// RFC 9110, Section 5.3: several headers are one list.
	p := &challenges{s: strings.Join(header, ", ")}
	if len(p.s) > maxChallengeBytes {
		return nil, malformed("it is over 16 KiB")
	}
	var out []Challenge
	for p.list(); p.s != ""; p.list() {
		c, err := p.challenge()
		if err != nil {
			return nil, err
		}
		if out = append(out, *c); len(out) > maxChallenges {
			return nil, malformed("it has over 16 challenges")
		}
	}
	return out, nil
}

// challenges is what is left to read of the header.
type challenges struct{ s string }

// list passes over the commas and the white space between elements, which may be empty (RFC 9110, Section 5.6.1.2).
func (p *challenges) list() { p.s = strings.TrimLeft(p.s, " \t,") }

func (p *challenges) space() { p.s = strings.TrimLeft(p.s, " \t") }

func (p *challenges) token() string {
	i := strings.IndexFunc(p.s, func(r rune) bool { return !isTchar(r) })
	if i < 0 {
		i = len(p.s)
	}
	t := p.s[:i]
	p.s = p.s[i:]
	return t
}

// end reports whether an element ends here.
func (p *challenges) end() bool {
	rest := strings.TrimLeft(p.s, " \t")
	return rest == "" || rest[0] == ','
}

func (p *challenges) challenge() (*Challenge, error) {
	c := &Challenge{Scheme: p.token()}
	switch {
	case p.end():
		return c, nil
	case p.s[0] != ' ':
		return nil, malformed("there is no scheme with a space behind it")
	}
	p.space()
	if t, ok := p.token68(); ok {
		c.Token68 = t
		return c, nil
	}
	params := map[string]string{}
	for {
		name := strings.ToLower(p.token()) // RFC 9110, Section 11.2
		p.space()
		rest, ok := strings.CutPrefix(p.s, "=")
		if name == "" || !ok {
			return nil, malformed("a parameter is not a name with a value")
		}
		p.s = rest
		p.space()
		value, err := p.value()
		if err != nil {
			return nil, err
		}
		// RFC 9110, Section 11.2; RFC 6750, Section 3.
		if _, twice := params[name]; twice {
			return nil, malformed("a parameter is there twice")
		}
		if params[name] = value; len(params) > maxChallengeParam {
			return nil, malformed("a challenge has over 32 parameters")
		}
		if !p.end() {
			return nil, malformed("there is no comma behind a parameter")
		}
		// What follows is a parameter of this challenge, or the next one's scheme.
		p.list()
		ahead := *p
		ahead.token()
		ahead.space()
		if !strings.HasPrefix(ahead.s, "=") {
			return c, c.take(params)
		}
	}
}

// token68 reads the one value of a challenge that has no parameters (RFC 9110, Section 11.2).
func (p *challenges) token68() (string, bool) {
	i := 0
	for i < len(p.s) && (isAlphanumeric(p.s[i]) || strings.IndexByte("-._~+/", p.s[i]) >= 0) {
		i++
	}
	body := i
	for i < len(p.s) && p.s[i] == '=' {
		i++
	}
	if rest := (&challenges{p.s[i:]}); body == 0 || !rest.end() {
		return "", false
	}
	t := p.s[:i]
	p.s = p.s[i:]
	return t, true
}

// value reads a token or a quoted string.
func (p *challenges) value() (string, error) {
	if p.s == "" || p.s[0] != '"' {
		if t := p.token(); t != "" {
			return t, nil
		}
		return "", malformed("a value is missing")
	}
	var b strings.Builder
	for i := 1; ; i++ {
		if i >= len(p.s) {
			return "", malformed("a quoted value has no end")
		}
		switch c := p.s[i]; {
		case c == '"':
			p.s = p.s[i+1:]
			return b.String(), nil
		case c == '\\' && i+1 < len(p.s):
			i++
			c = p.s[i]
			fallthrough
		default:
			// RFC 9110, Section 5.6.4. What is beyond ASCII is opaque, and no parameter here has it.
			if p.s[i] < ' ' && p.s[i] != '\t' || p.s[i] > '~' {
				return "", malformed("a value has a character that it cannot have")
			}
			b.WriteByte(c)
		}
	}
}

// take gives the parameters of the schemes that are known here their meaning.
func (c *Challenge) take(params map[string]string) error {
	pop := func(name string) string {
		v := params[name]
		delete(params, name)
		return v
	}
	c.Realm = pop("realm")
	known := true
	switch {
	case strings.EqualFold(c.Scheme, Bearer): // RFC 9110, Section 11.1
		c.Scheme = Bearer
	case strings.EqualFold(c.Scheme, DPoP):
		c.Scheme = DPoP
	default:
		known = false
	}
	if known {
		code, description, uri := pop("error"), pop("error_description"), pop("error_uri")
		if code != "" {
			c.Error = &Error{Code: clean(code, maxCode), Description: clean(description, maxDescription)}
			if validURI(uri) {
				c.Error.URI = uri
			}
		}
		if s := pop("scope"); s != "" {
			var err error
			if c.Scope, err = ParseScopes(s); err != nil {
				return malformed("scope is no list of scopes")
			}
		}
		c.ACRValues = strings.Fields(pop("acr_values"))
		if s := pop("max_age"); s != "" {
			// RFC 9470, Section 3: a non-negative integer.
			n, err := strconv.ParseUint(s, 10, 31)
			if err != nil {
				return malformed("max_age is no number of seconds")
			}
			c.MaxAge = new(time.Duration(n) * time.Second)
		}
		c.Algs = strings.Fields(pop("algs"))
		c.ResourceMetadata = pop("resource_metadata")
	}
	if len(params) > 0 {
		c.Params = params
	}
	return nil
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// isTchar is tchar of RFC 9110, Section 5.6.2.
func isTchar(r rune) bool {
	return r < 0x80 && (isAlphanumeric(byte(r)) || strings.ContainsRune("!#$%&'*+-.^_`|~", r))
}

func isToken(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return !isTchar(r) }) < 0
}
