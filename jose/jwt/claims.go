package jwt

import (
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/jotsuite/jot/internal/strictjson"
)

// Registered holds the registered claims (RFC 7519, Section 4.1). A zero field is a
// claim that is absent; the zero [time.Time] is absent, the Unix epoch is not.
// Times are exact to the nanosecond, so a NumericDate with a fraction keeps it.
type Registered struct {
	Issuer    string    `json:"iss,omitempty"`
	Subject   string    `json:"sub,omitempty"`
	Audience  Audience  `json:"aud,omitempty,format:oneormany"`
	Expiry    time.Time `json:"exp,omitzero,format:unix"`
	NotBefore time.Time `json:"nbf,omitzero,format:unix"`
	IssuedAt  time.Time `json:"iat,omitzero,format:unix"`
	ID        string    `json:"jti,omitempty"`
}

var registered = []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti"}

// lacks reports whether the registered claim called name is absent.
func (r *Registered) lacks(name string) bool {
	switch name {
	case "iss":
		return r.Issuer == ""
	case "sub":
		return r.Subject == ""
	case "aud":
		return len(r.Audience) == 0
	case "exp":
		return r.Expiry.IsZero()
	case "nbf":
		return r.NotBefore.IsZero()
	case "iat":
		return r.IssuedAt.IsZero()
	}
	return r.ID == ""
}

// Audience is the aud claim: on input a string or an array of strings, on output a
// string where there is one (RFC 7519, Section 4.1.3).
type Audience []string

// Contains reports whether name is one of the audiences, compared exactly.
func (a Audience) Contains(name string) bool { return slices.Contains(a, name) }

type wireAudience struct {
	V []string `json:"v,format:oneormany"`
}

// MarshalJSON writes one audience as a string and several as an array.
func (a Audience) MarshalJSON() ([]byte, error) {
	if len(a) == 1 {
		return json.Marshal(a[0])
	}
	return json.Marshal([]string(a))
}

// UnmarshalJSON reads a string or an array of strings; null is refused.
func (a *Audience) UnmarshalJSON(data []byte) error {
	var w wireAudience
	if err := unwrap(data, &w); err != nil {
		return err
	}
	*a = w.V
	return nil
}

// NumericDate is a time in a claim of your own: seconds since the Unix epoch as a
// JSON number, with a fraction where there is one (RFC 7519, Section 2). A field of
// type time.Time with the option format:unix in its json tag is read the same way.
type NumericDate struct{ time.Time }

type wireDate struct {
	V time.Time `json:"v,format:unix"`
}

var dateEncoder = encoderOf[wireDate]()

// encoderOf makes the encoder of a type of this package, when it is first used.
func encoderOf[T any]() func() *strictjson.Encoder[T] {
	return sync.OnceValue(func() *strictjson.Encoder[T] {
		e, _ := strictjson.NewEncoder[T]() // the types here have a plan
		return e
	})
}

// MarshalJSON writes the seconds since the epoch. It fails for a time that no reader
// would take.
func (d NumericDate) MarshalJSON() ([]byte, error) {
	b, err := dateEncoder().Append(nil, &wireDate{d.Time})
	if err != nil {
		return nil, err
	}
	return b[len(`{"v":`) : len(b)-1], nil
}

// UnmarshalJSON reads a number of seconds; null, a string, and a number outside the
// years that a time can hold are refused.
func (d *NumericDate) UnmarshalJSON(data []byte) error {
	var w wireDate
	if err := unwrap(data, &w); err != nil {
		return err
	}
	d.Time = w.V
	return nil
}

// unwrap reads data as the one member of w, so that the formats of strictjson's tags have one reader.
// The copy keeps what is read apart from a buffer that the caller will reuse.
func unwrap(data []byte, w any) error {
	doc := append(append([]byte(`{"v":`), data...), '}')
	return strictjson.Unmarshal(doc, w, strictjson.Limits{})
}
