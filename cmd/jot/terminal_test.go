package main

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/jose/unverified"
)

func TestVisible(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"plain\ntext", "plain\ntext"},
		{"Köln 日本", "Köln 日本"},
		{"\x1b]0;x\x07", `\u001b]0;x\u0007`},
		{"a\u202eb\u2066c\u200f", `a\u202eb\u2066c\u200f`},
		{"\u009b1m\x7f\t\r", `\u009b1m\u007f\u0009\u000d`},
		{"\u00a0\u2028\u3000", `\u00a0\u2028\u3000`},
		{"\xff\xc3", `\ufffd\ufffd`},
		{"\U0001f600\U000e0041", "\U0001f600" + `\udb40\udc41`},
	} {
		if got := visible(tt.in); got != tt.want {
			t.Errorf("visible(%q) = %s, want %s", tt.in, got, tt.want)
		}
	}
}

func TestOneLine(t *testing.T) {
	if got := oneLine("a\nb\r\nc"); got != "a b c" {
		t.Errorf("%q", got)
	}
	if got := quoted(strings.Repeat("ö", 60)); len(got) > 90 || !strings.HasSuffix(got, `…"`) || strings.Contains(got, "fffd") {
		t.Errorf("%q", got)
	}
}

func TestMoment(t *testing.T) {
	now := time.Date(2026, 9, 30, 9, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		after time.Duration
		want  string
	}{
		{3 * time.Hour, "2026-09-30 12:00 UTC (in 3 h)"},
		{0, "2026-09-30 09:00 UTC (now)"},
		{-5 * time.Second, "2026-09-30 08:59 UTC (5 s ago)"},
		{-90 * time.Second, "2026-09-30 08:58 UTC (1 min ago)"},
		{72 * time.Hour, "2026-10-03 09:00 UTC (in 3 days)"},
		{-10 * 366 * 24 * time.Hour, "2016-09-22 09:00 UTC (10 years ago)"},
	} {
		if got := moment(now.Add(tt.after), now); got != tt.want {
			t.Errorf("%v: %s, want %s", tt.after, got, tt.want)
		}
	}
}

func TestNumericDate(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want string // empty where it is no date
	}{
		{"0", "1970-01-01T00:00:00Z"},
		{"1.5", "1970-01-01T00:00:01.5Z"},
		{"1E3", "1970-01-01T00:16:40Z"},
		{"-62135596800", "0001-01-01T00:00:00Z"},
		{"253402300799", "9999-12-31T23:59:59Z"},
		{"253402300800", ""},
		{"-62135596801", ""},
		{"1e400", ""},
		{`"1"`, ""},
		{"null", ""},
		{"", ""},
	} {
		got, ok := numericDate([]byte(tt.in))
		if ok != (tt.want != "") || ok && got.UTC().Format(time.RFC3339Nano) != tt.want {
			t.Errorf("%s: %v %v, want %q", tt.in, got.UTC(), ok, tt.want)
		}
	}
}

// at runs the command at a terminal.
func at(tt terminal, args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	if tt.stdin == nil {
		tt.stdin = strings.NewReader("")
	}
	if tt.stdout == nil {
		tt.stdout = &out
	}
	tt.stderr = &errs
	return run(args, &tt, time.Now), out.String(), errs.String()
}

const someToken = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJuYW1lIjoiSm9obiBEb2UifQ.xuEv8qrfXu424LZk8bVgr9MQJUIrp1rHcPyZw_KSsds"

func TestAtATerminal(t *testing.T) {
	// With nothing given, there is nothing to wait for.
	code, _, errs := at(terminal{stdinTTY: true}, "inspect")
	if code != exitUsage || !strings.Contains(errs, "error: no token given\nhint: ") {
		t.Errorf("exit %d %q", code, errs)
	}
	// Asked to read, it says so.
	code, _, errs = at(terminal{stdinTTY: true, stdin: strings.NewReader(someToken)}, "inspect", "-")
	if code != exitOK || !strings.Contains(errs, "reading the text from the terminal") {
		t.Errorf("exit %d %q", code, errs)
	}
	if code, _, errs = at(terminal{stdoutTTY: true}, "key", "convert", "testdata/keys/ciba.json", "--to", "der"); code != exitUsage || !strings.Contains(errs, "binary") {
		t.Errorf("exit %d %q", code, errs)
	}
	_, out, _ := at(terminal{stdin: strings.NewReader(someToken), outColour: true}, "inspect", "-")
	if !strings.HasPrefix(out, "\x1b[31mNOT VERIFIED\x1b[0m") {
		t.Errorf("%q", out)
	}
	_, _, errs = at(terminal{errColour: true}, "explain", "\x1b[2J")
	if strings.Contains(errs, "\x1b[2J") || !strings.HasPrefix(errs, "\x1b[31merror:\x1b[0m ") {
		t.Errorf("%q", errs)
	}
}

type broken struct{ io.Reader }

func (broken) Read([]byte) (int, error)  { return 0, errors.New("broken pipe") }
func (broken) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

// TestLineBroken reports what cannot be written as JSON.
func TestLineBroken(t *testing.T) {
	tt := &terminal{stdout: io.Discard}
	if tt.line(func() {}); tt.broken == nil {
		t.Error("it is written")
	}
}

func TestBroken(t *testing.T) {
	for _, args := range [][]string{{"version"}, {"man"}, {"explain"}, {"key", "new", "ES256"}} {
		code, _, errs := at(terminal{stdout: broken{}}, args...)
		if code != exitFile || errs != "error: cannot write the output: broken pipe\n" {
			t.Errorf("%v: exit %d %q", args, code, errs)
		}
	}
	code, _, errs := at(terminal{stdin: broken{}}, "inspect")
	if code != exitFile || errs != "error: cannot read stdin: broken pipe\n" {
		t.Errorf("exit %d %q", code, errs)
	}
	if f := asFailure(errors.New("x")); f.code != exitRefused || f.msg != "x" {
		t.Errorf("%+v", f)
	}
}

func TestStore(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if store(f, []byte("key")) == nil {
		t.Error("a key that was not written")
	}
}

func TestNoDuplicates(t *testing.T) {
	for in, ok := range map[string]bool{
		strings.Repeat("[", 100) + strings.Repeat("]", 100): true,
		strings.Repeat("[", 102) + strings.Repeat("]", 102): false,
		`{"a":1,"b":{"a":1}}`:                               true,
		`{"a":1,"\u0061":1}`:                                false,
		`[{"a":1},{"a":1}]`:                                 true,
		`{"a":1`:                                            false,
		`{"a":1}}`:                                          false,
	} {
		if err := noDuplicates([]byte(in)); (err == nil) != ok {
			t.Errorf("%s: %v", in, err)
		}
	}
}

func TestReasons(t *testing.T) {
	if got := reasons(nil); got != nil {
		t.Errorf("%v", got)
	}
	// What is not about the token is a refusal all the same: no error verifies.
	other := errors.New("the source of the keys failed")
	if got := reasons(other); len(got) != 1 || got[0] != other {
		t.Errorf("%v", got)
	}
}

// TestKindChecks lists of issuer, audience and expiry what a kind asks for, and no more.
func TestKindChecks(t *testing.T) {
	seen, err := unverified.Parse("eyJhbGciOiJFUzI1NiJ9." + base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"a","exp":2000000000}`)) + ".AA")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		policy jwt.Policy
		seen   *unverified.Token
		want   string
	}{
		{jwt.Policy{}, seen, "iss aud exp"},
		{jwt.Policy{}, nil, "iss aud"},
		{jwt.Policy{AnyIssuer: true}, seen, "aud exp"},
		{jwt.Policy{AnyAudience: true}, seen, "iss exp"},
		{jwt.Policy{AnyIssuer: true, AnyAudience: true}, nil, ""},
	} {
		j := judge{policy: c.policy, seen: c.seen, now: time.Unix(1_900_000_000, 0), kind: true}
		var names []string
		for _, k := range j.claimChecks() {
			names = append(names, k.name)
		}
		if got := strings.Join(names, " "); got != c.want {
			t.Errorf("%+v: %s, want %s", c.policy, got, c.want)
		}
	}
}

// TestVocabulary looks that explain has each word once in its kind, and a hint for
// what is misspelt.
func TestVocabulary(t *testing.T) {
	// No specification has these.
	ours := []string{
		"token.too_large", "keys.options", "keys.state", "keys.conflict", "keys.file",
		"server.options", "server.document", "store.not_found", "store.conflict", "store.invalid", "store.closed", "store.newer", "store.setup",
	}
	seen := map[[2]string]bool{}
	for _, e := range terms() {
		k := [2]string{e.what, e.word}
		if seen[k] || e.text == "" || e.spec == "" && e.what != "exit code" && !slices.Contains(ours, e.word) {
			t.Errorf("%v twice, or without text or source", k)
		}
		seen[k] = true
	}
	for word, want := range map[string]string{"audd": "aud", "exp.expird": "exp.expired", "es256": "ES256"} {
		got := strings.Join(nearest(word, termWords()), " ")
		if !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q, want %s first", word, got, want)
		}
	}
}

// errorNames are the error codes of OAuth by the names of their constants.
func errorNames(t *testing.T) map[string]string {
	t.Helper()
	source, err := os.ReadFile(filepath.Join("..", "..", "oauth", "error.go"))
	if err != nil {
		t.Skip("the library's source is not around this module")
	}
	names := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^\t(\w+) += "(\w+)"$`).FindAllStringSubmatch(string(source), -1) {
		names[m[1]] = m[2]
	}
	if names["InvalidGrant"] != "invalid_grant" {
		t.Fatalf("the codes are not found: %v", names)
	}
	return names
}

// TestExplainKnowsEveryCode reads the codes out of the library's source.
func TestExplainKnowsEveryCode(t *testing.T) {
	known := map[string]bool{}
	for _, e := range terms() {
		known[e.word] = true
	}
	code := regexp.MustCompile(`(?:fault\.New\(|\.Refuse\(|\bunknown\(|\bCode: +)"([a-z0-9_]+\.[a-z0-9_]+)"`)
	answer := regexp.MustCompile(`oauth\.((?:Invalid|Unauthorized|Unsupported|Unapproved|Insufficient|Use|Access|Server|Temporarily)[A-Z]\w+)`)
	names := errorNames(t)
	found := 0
	for _, dir := range []string{"jose", "internal", "keyset", "oauth", "profile", "lint", "server"} {
		err := filepath.WalkDir(filepath.Join("..", "..", dir), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			source, err := os.ReadFile(path)
			if dir == "server" {
				for _, m := range answer.FindAllSubmatch(source, -1) {
					if word := names[string(m[1])]; word != "" && !known[word] {
						t.Errorf("%s: explain does not know %s", path, word)
					}
				}
			}
			for _, m := range code.FindAllSubmatch(source, -1) {
				found++
				if !known[string(m[1])] {
					t.Errorf("%s: explain does not know %s", path, m[1])
				}
			}
			return err
		})
		if err != nil {
			t.Skip("the library's source is not around this module")
		}
	}
	if found < 30 {
		t.Errorf("found only %d codes", found)
	}
}
