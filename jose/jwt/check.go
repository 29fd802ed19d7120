package jwt

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/internal/strictjson"
)

// check holds claims that could be read to the policy and returns every refusal.
func (v *Verifier[C]) check(t *Token[C], now time.Time) (refusals []*ClaimError) {
	p, r := &v.policy, &t.Registered
	refuse := func(f *fault.Error, claim, got, want string) *ClaimError {
		e := claimError(f, claim, got, want)
		refusals = append(refusals, e)
		return e
	}

	// RFC 7519, Section 4.1.1; RFC 8725, Section 3.8: compared exactly.
	if !p.AnyIssuer && !slices.Contains(p.Issuers, r.Issuer) {
		if r.Issuer == "" {
			refuse(errIssMissing, "iss", "", anyOf(p.Issuers))
		} else {
			refuse(errIssuer, "iss", r.Issuer, anyOf(p.Issuers)).Hint = slashHint(p.Issuers, r.Issuer)
		}
	}
	// RFC 7519, Section 4.1.3; RFC 8725, Section 3.9.
	if !p.AnyAudience && !slices.ContainsFunc(r.Audience, func(a string) bool { return slices.Contains(p.Audiences, a) }) {
		if len(r.Audience) == 0 {
			refuse(errAudMissing, "aud", "", anyOf(p.Audiences))
		} else {
			refuse(errAudience, "aud", strings.Join(r.Audience, " "), anyOf(p.Audiences)).Hint = slashHint(p.Audiences, r.Audience...)
		}
	}

	hasExp := !r.Expiry.IsZero()
	// The start of year 1 is a date like any other, but not to time.Time.
	if !hasExp && p.OptionalExpiry && member(t.payload, "exp", v.limits) != nil {
		hasExp = true
	}
	switch {
	case !hasExp && (!p.OptionalExpiry && !p.IgnoreExpiry || p.MaxLifetime > 0):
		refuse(errExpMissing, "exp", "", "a time after "+date(now.Add(-p.Leeway)))
	// RFC 7519, Section 4.1.4: on or after exp the token is dead.
	case hasExp && !p.IgnoreExpiry && !later(r.Expiry, now, -p.Leeway):
		refuse(errExpired, "exp", date(r.Expiry), "a time after "+date(now.Add(-p.Leeway)))
	}
	if !r.NotBefore.IsZero() {
		// RFC 7519, Section 4.1.5.
		if later(r.NotBefore, now, p.Leeway) {
			refuse(errEarly, "nbf", date(r.NotBefore), "a time not after "+date(now.Add(p.Leeway)))
		}
		if hasExp && r.NotBefore.After(r.Expiry) {
			refuse(errOrder, "nbf", date(r.NotBefore), "a time not after exp")
		}
	}
	if r.IssuedAt.IsZero() {
		if p.MaxAge > 0 {
			refuse(errIatMissing, "iat", "", "the time of issue")
		}
	} else {
		if !p.AllowFutureIssuedAt && later(r.IssuedAt, now, p.Leeway) {
			refuse(errIssuedAt, "iat", date(r.IssuedAt), "a time not after "+date(now.Add(p.Leeway)))
		}
		if p.MaxAge > 0 && now.Sub(r.IssuedAt) > p.MaxAge+p.Leeway {
			refuse(errTooOld, "iat", date(r.IssuedAt), "an age of at most "+p.MaxAge.String())
		}
	}
	if p.MaxLifetime > 0 {
		// RFC 7519 gives no start of the lifetime: iat is when it began to exist, nbf when it began to count.
		start := r.IssuedAt
		if start.IsZero() {
			start = r.NotBefore
		}
		switch {
		case start.IsZero():
			if p.MaxAge == 0 { // else it is refused above
				refuse(errIatMissing, "iat", "", "the time of issue")
			}
		case r.Expiry.Sub(start) > p.MaxLifetime:
			refuse(errLifetime, "exp", date(r.Expiry), "a lifetime of at most "+p.MaxLifetime.String())
		}
	}
	if p.Replay != nil && r.ID == "" {
		refuse(errJtiMissing, "jti", "", "an identifier")
	}
	for _, name := range p.Required {
		if v.absent(t, name) && !refused(refusals, name) {
			refuse(missing(name), name, "", "the claim")
		}
	}
	return refusals
}

// later reports whether t is more than d after now. It takes half as long as now.Add(d).Before(t), which
// carries a monotonic time along.
func later(t, now time.Time, d time.Duration) bool {
	const most = 1 << 33 // seconds, of which a Duration holds little more
	sec := max(-most, min(t.Unix()-now.Unix(), most))
	return time.Duration(sec)*time.Second+time.Duration(t.Nanosecond()-now.Nanosecond()) > d
}

// absent reports whether the claim called name is not there, or says that it has no value.
func (v *Verifier[C]) absent(t *Token[C], name string) bool {
	if slices.Contains(registered, name) {
		return t.lacks(name)
	}
	raw := member(t.payload, name, v.limits)
	return raw == nil || string(raw) == "null"
}

func refused(refusals []*ClaimError, claim string) bool {
	return slices.ContainsFunc(refusals, func(e *ClaimError) bool { return e.Claim == claim })
}

// adopt adds what a caller's own check refuses.
func adopt(refusals, more []*ClaimError) []*ClaimError {
	for _, e := range more {
		if slices.ContainsFunc(refusals, func(r *ClaimError) bool { return r.Claim == e.Claim && r.Code == e.Code }) {
			continue
		}
		e.Claim, e.Got = bound(e.Claim), bound(e.Got)
		e.cause = fault.New(e.Code, e.Spec, e.rule())
		if i := slices.IndexFunc(ofClaims, func(f *fault.Error) bool { return f.Code() == e.Code }); i >= 0 {
			e.cause = ofClaims[i]
		}
		refusals = append(refusals, e)
	}
	return refusals
}

func errorsOf(refusals []*ClaimError) []error {
	errs := make([]error, len(refusals))
	for i, e := range refusals {
		errs[i] = e
	}
	return errs
}

// missing returns the refusal for a registered claim that is absent.
func missing(name string) *fault.Error {
	switch name {
	case "iss":
		return errIssMissing
	case "aud":
		return errAudMissing
	case "exp":
		return errExpMissing
	case "iat":
		return errIatMissing
	case "jti":
		return errJtiMissing
	}
	return errMissing
}

// deadline is the time from which the policy refuses a token that it accepts now.
func (v *Verifier[C]) deadline(r *Registered) time.Time {
	if r.Expiry.IsZero() || v.policy.IgnoreExpiry {
		return r.IssuedAt.Add(v.policy.MaxAge + v.policy.Leeway)
	}
	return r.Expiry.Add(v.policy.Leeway)
}

// diagnose turns the decoder's refusal of a verified payload into refusals of claims. It
// tries each member alone, and holds those that can be read to the policy.
func (v *Verifier[C]) diagnose(payload []byte, cause error, now time.Time) []error {
	var refusals []*ClaimError
	good := []byte{'{'}
	err := strictjson.Object(payload, v.limits, func(name string, raw []byte) error {
		quoted, _ := json.Marshal(name) // a string always has JSON
		member := append(append(quoted, ':'), raw...)
		alone := slices.Concat([]byte{'{'}, member, []byte{'}'})
		if err := v.decoder.Decode(alone, new(Token[C]), v.limits); err != nil {
			refusals = append(refusals, unreadable(name, raw, err))
			return nil
		}
		if len(good) > 1 {
			good = append(good, ',')
		}
		good = append(good, member...)
		return nil
	})
	if err != nil || refusals == nil {
		return []error{errClaims.Wrap(cause)}
	}
	t := &Token[C]{payload: append(good, '}')}
	_ = v.decoder.Decode(t.payload, t, v.limits) // each member has been read before
	for _, e := range v.check(t, now) {
		if !refused(refusals, e.Claim) {
			refusals = append(refusals, e)
		}
	}
	return errorsOf(refusals)
}

// unreadable is the refusal of one member.
func unreadable(name string, raw []byte, cause error) *ClaimError {
	f := errClaims
	if c, ok := errors.AsType[*fault.Error](cause); ok {
		f = errClaims.Wrap(c)
	}
	var want string
	switch name {
	case "iss", "sub", "jti":
		want = "a string"
	case "aud":
		want = "a string or an array of strings"
	case "exp", "nbf", "iat":
		want = "a number of seconds since 1970"
	}
	return claimError(f, name, string(raw), want)
}

func anyOf(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = strconv.Quote(n)
	}
	return strings.Join(quoted, " or ")
}

// slashHint says so where one of want differs from one of got by a final slash only, as Auth0's issuer does.
func slashHint(want []string, got ...string) string {
	for _, g := range got {
		for _, w := range want {
			if strings.TrimSuffix(g, "/") != strings.TrimSuffix(w, "/") {
				continue
			}
			if strings.HasSuffix(w, "/") {
				return "the token's value has no final slash; the policy's has one"
			}
			return "the token's value has a final slash; the policy's has none"
		}
	}
	return ""
}

func date(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
