package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/jose/jwk"
)

// TestConfigExample checks the commented example: it has every option, and is good.
func TestConfigExample(t *testing.T) {
	example, err := os.ReadFile(filepath.Join("..", "..", "docs", "jot.yaml"))
	if err != nil {
		t.Skip("the documentation is not around this module")
	}
	var names func(reflect.Type) []string
	names = func(r reflect.Type) (out []string) {
		if r.Kind() == reflect.Slice || r.Kind() == reflect.Pointer {
			return names(r.Elem())
		}
		if r.Kind() != reflect.Struct {
			return nil
		}
		for i := range r.NumField() {
			f := r.Field(i)
			if name := f.Tag.Get("yaml"); name != "" {
				out = append(append(out, name), names(f.Type)...)
			}
		}
		return out
	}
	all := names(reflect.TypeFor[config]())
	for _, name := range all {
		if !strings.Contains(string(example), "\n"+name+":") && !strings.Contains(string(example), " "+name+":") {
			t.Errorf("the example has no %s", name)
		}
	}
	if len(all) < 30 {
		t.Errorf("there are only %v", all)
	}

	// What it names is there.
	dir := t.TempDir()
	t.Chdir(dir)
	secret := base64.RawURLEncoding.EncodeToString(make([]byte, 32))
	t.Setenv("JOT_OLD_SECRET", secret)
	key, err := jwk.Generate(jwa.ES256)
	if err != nil {
		t.Fatal(err)
	}
	set, err := json.Marshal(jwk.Set{key.Public()})
	if err != nil {
		t.Fatal(err)
	}
	ca := authority(t)
	own := newCertificate(t, nil, "as.example")
	for name, text := range map[string]string{
		"secrets": secret + "\n", "attesters.json": string(set), "vendors.json": string(set), "client-ca.pem": ca, "tls.pem": own.pem(), "tls.key": own.keyPEM(t),
	} {
		if err := os.MkdirAll("jot-data", 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join("jot-data", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile("jot.yaml", example, 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := jot(t, "", "serve", "--config", "jot.yaml", "--check")
	if code != exitOK || stdout != "" || !strings.Contains(stderr, "ok: the server of https://as.example could be made") {
		t.Errorf("exit code %d:\n%s%s", code, stdout, stderr)
	}
	if _, err := os.Stat("jot-data/jot.db"); err == nil {
		t.Error("a check makes a database")
	}
}

// authority is a certificate in PEM.
func authority(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true}
	raw, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}))
}

// TestConfigRefuses has one mistake in each file, and the line that it is in.
func TestConfigRefuses(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"unknown":              {"addr: localhost:1\nisuer: https://as.example", `line 2: there is no option "isuer" here`},
		"unknown inside":       {"lifetimes:\n  acces: 1m", `line 2: there is no option "acces" here`},
		"twice":                {"addr: a\naddr: b", "line 2: "},
		"no YAML":              {"addr: [", "line 1: "},
		"a list":               {"addr: [a]", "line 1: a single value belongs here"},
		"a text":               {"resources: everything", "line 1: a list belongs here, such as [one, two]"},
		"no bool":              {"no_dpop_nonce: maybe", "line 1: this is true or false"},
		"one option for many":  {"addr: a\ntls: yes", "line 2: options belong here, each with its name"},
		"like another":         {"isuer: https://as.example", "hint: did you mean issuer? docs/jot.yaml has all options"},
		"like one inside":      {"lifetimes:\n  refresh_maxx: 1m", "hint: did you mean refresh_max? "},
		"like none":            {"whatever: 1", "hint: docs/jot.yaml has all options"},
		"two documents":        {"addr: a\n---\naddr: b", "second document"},
		"a duration":           {"lifetimes:\n  access: 15", `line 2: "15" is no duration`},
		"too short":            {"lifetimes:\n  access: 15ms", "line 2: a lifetime"},
		"http":                 {"issuer: http://as.example", "line 1: "},
		"algorithm":            {"algorithm: HS256", "line 1: "},
		"no algorithm":         {"algorithm: none", "line 1: "},
		"resource":             {"resources:\n  - name: api\n    identifier: api", "line 3: the identifier"},
		"a scope to register":  {"registration:\n  scopes: [a b]", "line 2: "},
		"statements of whom":   {"registration:\n  statements: s.json", "line 2: software statements"},
		"no statements":        {"registration:\n  statement_issuers: [a]\n  statements: none.json", "line 3: cannot read"},
		"scope":                {"resources:\n  - identifier: https://api.example\n    scopes: [a b]", "line 3: "},
		"no file":              {"secrets:\n  - file: nowhere", `line 2: there is no file "nowhere"`},
		"no secret in it":      {"secrets:\n  - file: jot.yaml", `line 2: "jot.yaml" has a line that is no secret`},
		"a weak variable":      {"secrets:\n  - env: PATH", `line 2: the variable "PATH" has a line that is no secret`},
		"no TLS key":           {"tls:\n  certificate: jot.yaml\n  key: nowhere", `line 3: there is no file "nowhere"`},
		"no certificate":       {"tls:\n  certificate: nowhere\n  key: jot.yaml", `line 2: there is no file "nowhere"`},
		"a key for all":        {"tls:\n  certificate: jot.yaml\n  key: open.log", "line 3: everybody has access to the key"},
		"no PEM":               {"tls:\n  certificate: jot.yaml\n  key: jot.yaml", "line 2: the certificate in"},
		"a certificate alone":  {"tls:\n  certificate: jot.yaml", "line 2: tls has a certificate and its key"},
		"a key alone":          {"tls:\n  key: jot.yaml", "line 2: tls has a certificate and its key"},
		"TLS and http":         {"tls:\n  certificate: a\n  key: b\nissuer: http://localhost:8080", `line 4: the server speaks TLS, and the issuer "http://localhost:8080" is no https URL`},
		"asked without TLS":    {"client_certificates:\n  request: true", "line 2: certificates are asked for in TLS"},
		"an address, no TLS":   {"client_certificates:\n  addr: localhost:1\n  url: https://as.example", "line 2: certificates are asked for in TLS"},
		"an address, no URL":   {"client_certificates:\n  addr: localhost:1", "line 2: clients are told of the address by url"},
		"header and request":   {"client_certificates:\n  header: Client-Cert\n  request: true", "line 2: the header is for a proxy"},
		"header and address":   {"client_certificates:\n  header: Client-Cert\n  addr: localhost:1", "line 2: the header is for a proxy"},
		"no variable":          {"secrets:\n  - env: JOT_NOWHERE", "line 2: the environment has no variable"},
		"both":                 {"secrets:\n  - env: A\n    file: b", "line 3: a secret is in a file, or"},
		"no proxies":           {"client_certificates:\n  header: Client-Cert", "line 2: the header needs proxies"},
		"no network":           {"client_certificates:\n  header: Client-Cert\n  proxies: [here]", "line 3: "},
		"no authorities":       {"client_certificates:\n  authorities: nowhere", "line 2: cannot read"},
		"other authorities":    {"client_certificates:\n  authorities: jot.yaml", "line 2: "},
		"no attesters":         {"attesters: nowhere", "line 1: cannot read"},
		"other attesters":      {"attesters: jot.yaml", "line 1: "},
		"no network to ask":    {"fetch:\n  allow_networks: [here]", "line 2: "},
		"synchronous":          {"synchronous: off", "line 1: synchronous is full or normal"},
		"log":                  {"addr: localhost:1\nlog: xml", "line 2: a log is written as text or json"},
		"no address":           {"addr: 8080", "line 1: \"8080\" is no address"},
		"no port":              {"addr: localhost:99999", "line 1: "},
		"no store":             {"store: mysql://db", "is no store"},
		"no identifier":        {"resources:\n  - identifier: https://api.example\n  - scopes: [a]", "resource 2 of the list has no identifier"},
		"no grant to register": {"registration:\n  grant_types: [client_credentials, password]", "line 2: \"password\" is no grant type"},
		"no audit folder":      {"addr: localhost:1\naudit: nowhere/audit.log", "line 2: there is no folder"},
		"audit a folder":       {"audit: .", "line 1: "},
		"audit for all":        {"audit: open.log", "line 1: others have access"},
		"keys":                 {"keys:\n  every: 1m", "keys.options"},
		"claims":               {"resources:\n  - identifier: https://api.example\n    claims: {iss: me}", "iss"},
		"no resources":         {"resources: []", "server.options"},
		"twice the resource":   {"resources:\n  - identifier: https://api.example\n  - identifier: https://api.example", "line 3: the resource"},
		"a number":             {"limits:\n  connections: many", "line 2: this is a number that is not negative"},
		"a list of numbers":    {"limits:\n  connections: [1]", "line 2: this is a number that is not negative"},
		"a negative number":    {"limits:\n  connections: -1", "line 2: this is a number that is not negative"},
		"no number":            {"limits:\n  client:\n    rate: .nan", "line 3: this is a number that is not negative"},
		"a huge number":        {"limits:\n  connections: 2147483648", "line 2: this is a number that is not negative"},
		"half a connection":    {"limits:\n  connections: 1.5", "line 2: this is a whole number"},
		"half a request":       {"limits:\n  address:\n    rate: 5\n    burst: 1.5", "line 4: this is a whole number"},
		"a burst alone":        {"limits:\n  client:\n    burst: 5", "line 3: a burst goes with a rate"},
		"a slow rate":          {"limits:\n  client:\n    rate: 0.00001", "line 3: the rate takes over a day"},
		"no list of proxies":   {"client_addresses:\n  header: X-Forwarded-For", "line 2: the header needs proxies"},
		"no proxy of clients":  {"client_addresses:\n  header: X-Forwarded-For\n  proxies: [here]", "line 3: "},
		"audit in a file":      {"audit: jot.yaml/x", "line 1: "},
		"a flag":               {"admin: [true]", "line 1: this is true or false"},
		"durations":            {"drain: [1s]", "line 1: "},
		"metrics":              {"metrics: localhost", `line 1: "localhost" is no address`},
		"metrics of no port":   {"metrics: 'localhost:'", `line 1: "localhost:" is no address`},
		"traces":               {"traces: localhost:4318", "line 1: traces go to the URL of a collector"},
		"encryption":           {"algorithm: RSA-OAEP-256", "line 1: "},
		"an empty scope":       {"registration:\n  scopes: ['']", "line 2: "},
		"twice a scope":        {"registration:\n  scopes: [a a]", `line 2: "a a" is not the name of one scope`},
		"no keys":              {"attesters: empty.json", `line 1: "empty.json" is no JWK set`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			for name, mode := range map[string]os.FileMode{"jot.yaml": 0o600, "open.log": 0o644} {
				if err := os.WriteFile(name, []byte(c.text), mode); err != nil {
					t.Fatal(err)
				}
			}
			writeFile(t, "empty.json", `{"keys":[]}`)
			code, stdout, stderr := jot(t, "", "serve", "--check", "--config", "jot.yaml")
			if code == exitOK || stdout != "" || !strings.Contains(stderr, c.want) || strings.Contains(stderr, "main.") || strings.Contains(stderr, "unmarshal") || strings.Contains(c.want, "there is no file") && code != exitFile {
				t.Errorf("exit code %d:\n%s%s", code, stdout, stderr)
			}
		})
	}
	for _, good := range []string{"", "# nothing", "lifetimes: {refresh_retry: 0s}\nsynchronous: normal", "secrets: []"} {
		t.Run("good", func(t *testing.T) {
			t.Chdir(t.TempDir())
			if err := os.WriteFile("jot.yaml", []byte(good), 0o600); err != nil {
				t.Fatal(err)
			}
			if code, stdout, stderr := jot(t, "", "serve", "--check", "--config", "jot.yaml"); code != exitOK {
				t.Errorf("exit code %d:\n%s%s", code, stdout, stderr)
			}
		})
	}
	if code, _, stderr := jot(t, "", "serve", "--check", "--config", "nowhere"); code != exitFile {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

// TestConfigKeysReload has processes look for revoked keys as often as for removed clients, which is not the default of keys.
func TestConfigKeysReload(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"":                        time.Second,
		"lifetimes: {reload: 5s}": 5 * time.Second,
		"keys: {cache: 2m}\nlifetimes: {reload: 5m}": time.Minute, // at most half of cache
	} {
		var c config
		if err := c.parse([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if _, times, err := c.options(); err != nil || times.Reload != want {
			t.Errorf("%q: %v %v, want %v", text, times.Reload, err, want)
		}
	}
}

// TestConfigAddresses refuses two listeners where there is room for one, and addresses of the command line that are none.
func TestConfigAddresses(t *testing.T) {
	const metrics, mtls = "give metrics another port", "give client_certificates.addr another port"
	for _, c := range []struct{ addr, mtls, metrics, want string }{
		{"localhost:8080", "", "localhost:8080", metrics},
		{"127.0.0.1:8080", "", "localhost:8080", metrics},
		{":8080", "", "127.0.0.1:8080", metrics},
		{"127.0.0.1:8080", "", "0.0.0.0:8080", metrics},
		{"[::]:8080", "", "192.0.2.1:http-alt", metrics},
		{"", "", "localhost:8080", metrics}, // where it listens unless told
		{"no such host:8080", "", "no such host:8080", metrics},
		{"localhost:8080", "localhost:8443", "localhost:8443", metrics},
		{"localhost:8443", "localhost:8443", "", mtls},
		{"localhost:8080", "localhost:8443", "localhost:9464", ""},
		{"localhost:8080", "", "localhost:8081", ""},
		{"192.0.2.1:8080", "", "192.0.2.2:8080", ""},
		{"no such host:8080", "", "127.0.0.1:8080", ""},
		{"127.0.0.1:8080", "", "no such host:8080", ""},
		{"localhost:0", "localhost:0", "localhost:0", ""},
	} {
		text, line := "", 0
		for name, at := range map[string]string{"addr": c.addr, "metrics": c.metrics} {
			if at != "" {
				text += name + ": '" + at + "'\n"
			}
		}
		if c.mtls != "" {
			text += "client_certificates: {addr: '" + c.mtls + "'}\n"
		}
		var file config
		if err := file.parse([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if line = file.Metrics.line; c.want == mtls {
			line = file.Certificates.Addr.line
		}
		err := new(serveCmd).checkAddresses(&settings{file: &file})
		if (err == nil) != (c.want == "") || err != nil && (!strings.HasPrefix(err.Error(), fmt.Sprintf("line %d: ", line)) || !strings.HasSuffix(err.Error(), c.want)) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	for args, want := range map[string][2]string{
		"--metrics=localhost:8080":                       {`"localhost:8080" is where addr is already`, "--metrics HOST:PORT"},
		"--metrics=localhost:1 --addr=localhost:1":       {`"localhost:1" is where addr is already`, "--metrics HOST:PORT"},
		"--addr=nowhere":                                 {`"nowhere" is no address: write it as localhost:8080`, "--addr HOST:PORT"},
		"--metrics=localhost:":                           {`"localhost:" is no address: write it as localhost:9464`, "--metrics HOST:PORT"},
		"--metrics=localhost:9464 --addr=localhost:9465": {},
	} {
		code, _, stderr := jot(t, "", append([]string{"serve", "--check"}, strings.Fields(args)...)...)
		if want[0] == "" {
			if code != exitOK {
				t.Errorf("%s: exit code %d: %s", args, code, stderr)
			}
			continue
		}
		if code != exitUsage || !strings.HasPrefix(stderr, "error: "+want[0]) || !strings.Contains(stderr, "\nhint: give another "+want[1]) {
			t.Errorf("%s: exit code %d: %s", args, code, stderr)
		}
	}
}
