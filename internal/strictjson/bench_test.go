package strictjson_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/jotsuite/jot/internal/strictjson"
)

// claims is what a token of a usual size holds.
type claims struct {
	Issuer   string    `json:"iss"`
	Subject  string    `json:"sub"`
	Audience []string  `json:"aud,format:oneormany"`
	Expiry   time.Time `json:"exp,omitzero,format:unix"`
	IssuedAt time.Time `json:"iat,omitzero,format:unix"`
	ID       string    `json:"jti,omitempty"`
	Name     string    `json:"name"`
	Admin    bool      `json:"admin"`
	Scope    string    `json:"scope"`
	Roles    []string  `json:"roles"`
}

// plainClaims is claims for encoding/json.
type plainClaims struct {
	Issuer   string   `json:"iss"`
	Subject  string   `json:"sub"`
	Audience string   `json:"aud"`
	Expiry   int64    `json:"exp,omitzero"`
	IssuedAt int64    `json:"iat,omitzero"`
	ID       string   `json:"jti,omitempty"`
	Name     string   `json:"name"`
	Admin    bool     `json:"admin"`
	Scope    string   `json:"scope"`
	Roles    []string `json:"roles"`
}

const claimsJSON = `{"iss":"https://as.example.com","sub":"248289761001","aud":"https://api.example.com","exp":1790000000,"iat":1789996400,"jti":"b1c7e0a2-3d4f-4e5a-9b8c-7d6e5f4a3b2c","name":"Jane Doe","admin":true,"scope":"openid profile email orders:read","roles":["editor","reviewer"]}`

// otherOrder has the members of claimsJSON as an issuer with another order would send
// them, and two that claims does not know.
const otherOrder = `{"exp":1790000000,"iat":1789996400,"jti":"b1c7e0a2-3d4f-4e5a-9b8c-7d6e5f4a3b2c","iss":"https://as.example.com","aud":"https://api.example.com","sub":"248289761001","typ":"Bearer","azp":"app","roles":["editor","reviewer"],"scope":"openid profile email orders:read","name":"Jane Doe","admin":true}`

func BenchmarkDecode(b *testing.B) {
	for _, c := range []struct{ name, doc string }{{"declared-order", claimsJSON}, {"other-order", otherOrder}} {
		doc := []byte(c.doc)
		b.Run(c.name+"/strictjson", func(b *testing.B) {
			d, err := strictjson.NewDecoder[claims]()
			if err != nil {
				b.Fatal(err)
			}
			var v claims
			b.ReportAllocs()
			b.SetBytes(int64(len(doc)))
			for b.Loop() {
				v = claims{}
				if err := d.Decode(doc, &v, strictjson.Limits{}); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(c.name+"/encoding-json", func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(doc)))
			for b.Loop() {
				var v plainClaims
				if err := json.Unmarshal(doc, &v); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDecodeMap(b *testing.B) {
	doc := []byte(claimsJSON)
	b.Run("strictjson", func(b *testing.B) {
		d, err := strictjson.NewDecoder[map[string]any]()
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			var v map[string]any
			if err := d.Decode(doc, &v, strictjson.Limits{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var v map[string]any
			if err := json.Unmarshal(doc, &v); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkValid(b *testing.B) {
	doc := []byte(claimsJSON)
	b.Run("strictjson", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(doc)))
		for b.Loop() {
			if err := strictjson.Valid(doc, strictjson.Limits{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(doc)))
		for b.Loop() {
			if !json.Valid(doc) {
				b.Fatal("not valid")
			}
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	d, err := strictjson.NewDecoder[claims]()
	if err != nil {
		b.Fatal(err)
	}
	var v claims
	if err := d.Decode([]byte(claimsJSON), &v, strictjson.Limits{}); err != nil {
		b.Fatal(err)
	}
	b.Run("strictjson", func(b *testing.B) {
		e, err := strictjson.NewEncoder[claims]()
		if err != nil {
			b.Fatal(err)
		}
		buf := make([]byte, 0, 1024)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := e.Append(buf, &v); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		p := plainClaims{v.Issuer, v.Subject, v.Audience[0], v.Expiry.Unix(), v.IssuedAt.Unix(), v.ID, v.Name, v.Admin, v.Scope, v.Roles}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := json.Marshal(&p); err != nil {
				b.Fatal(err)
			}
		}
	})
}
