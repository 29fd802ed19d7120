package dpop

import (
	"net/url"
	"strings"
	"testing"
)

// normal is the one form of a URL, or "" for one that is refused.
func normal(s string) string {
	b, ok := appendURL(nil, s)
	if !ok {
		return ""
	}
	return string(b)
}

func TestURL(t *testing.T) {
	for in, want := range map[string]string{
		"https://a.example/b":     "https://a.example/b",
		"http://a.example/b":      "http://a.example/b",
		"https://a.example/b?c#d": "https://a.example/b",
		"https://a.example/b#d?c": "https://a.example/b",
		"https://a.example?c":     "https://a.example/",
		"https://a.example#c":     "https://a.example/",
		// RFC 3986, Section 6.2.2.1.
		"HTTPS://A.Example/B":           "https://a.example/B",
		"https://%41%c3%a9.example/%2f": "https://a%C3%A9.example/%2F",
		// Section 6.2.2.2.
		"https://a/%7Eb/%41%5a%30%39%2d%2E%5f%61%7A": "https://a/~b/AZ09-._az",
		"https://a/b%20c": "https://a/b%20c",
		// Section 6.2.2.3.
		"https://a/b/../c":           "https://a/c",
		"https://a/b/./c/":           "https://a/b/c/",
		"https://a/b/.":              "https://a/b/",
		"https://a/b/..":             "https://a/",
		"https://a/b/c/..":           "https://a/b/",
		"https://a/..":               "https://a/",
		"https://a/.":                "https://a/",
		"https://a/../../b":          "https://a/b",
		"https://a/b/%2E%2e/c":       "https://a/c",
		"https://a/b/%2e":            "https://a/b/",
		"https://a/b//c":             "https://a/b//c",
		"https://a//":                "https://a//",
		"https://a/b//../c":          "https://a/b/c",
		"https://a/.../..b/c../.d":   "https://a/.../..b/c../.d",
		"https://a/b/%2F../c":        "https://a/b/%2F../c",
		"https://a/%2e%2e%2f":        "https://a/..%2F",
		"https://a/b?../c":           "https://a/b",
		"https://a/aaa/../bbbbbb/.b": "https://a/bbbbbb/.b",
		// Section 6.2.3.
		"https://a":       "https://a/",
		"https://a:/":     "https://a/",
		"https://a:443/":  "https://a/",
		"http://a:80/":    "http://a/",
		"https://a:80/":   "https://a:80/",
		"http://a:443/":   "http://a:443/",
		"https://a:65535": "https://a:65535/",
		// Addresses, and names as they are.
		"https://[::1]/":                  "https://[::1]/",
		"https://[0:0:0:0:0:0:0:1]:443/":  "https://[::1]/",
		"https://[2001:DB8::A]:8443/":     "https://[2001:db8::a]:8443/",
		"https://[::ffff:127.0.0.1]/":     "https://[::ffff:127.0.0.1]/",
		"https://127.0.0.1:8443/":         "https://127.0.0.1:8443/",
		"https://a./":                     "https://a./",
		"https://bücher.example/ü":        "https://bücher.example/%C3%BC",
		"https://a/\"<>\\^{|}`":           "https://a/%22%3C%3E%5C%5E%7B%7C%7D%60",
		"https://xn--bcher-kva.example/":  "https://xn--bcher-kva.example/",
		"https://a/b:c@d;e=f,g!$&'()*+[]": "https://a/b:c@d;e=f,g!$&'()*+[]",
		`https://a/b\..\c`:                `https://a/b%5C..%5Cc`,

		"":                        "",
		"a":                       "",
		"/b":                      "",
		"//a/b":                   "",
		"https:/a/b":              "",
		"https:a":                 "",
		"https://":                "",
		"https:///b":              "",
		"https://:443/":           "",
		"ftp://a/":                "",
		"wss://a/":                "",
		"httpſ://a/":              "", // which Unicode folds to an s
		"urn:a://b":               "",
		" https://a/":             "",
		"https://a /":             "",
		"https://a/b c":           "",
		"https://a/b\n":           "",
		"https://a\x7f/":          "",
		"https://a/\x7f":          "",
		"https://alice@a/":        "",
		"https://alice:x@a/":      "",
		"https://@a/":             "",
		`https://a\@b/`:           "",
		`https://a\b/`:            "",
		"https://a:b:1/":          "",
		"https://a:b/":            "",
		"https://a:0/":            "",
		"https://a:0443/":         "",
		"https://a:+443/":         "",
		"https://a:65536/":        "",
		"https://a:-1/":           "",
		"https://a%/":             "",
		"https://a%4/":            "",
		"https://a%g1/":           "",
		"https://a/%":             "",
		"https://a/%4":            "",
		"https://a/%4g":           "",
		"https://[::1/":           "",
		"https://[::1:443/":       "",
		"https://::1/":            "",
		"https://[::1]x/":         "",
		"https://[::1]x:443/":     "",
		"https://[127.0.0.1]/":    "",
		"https://[::1%25eth0]/":   "",
		"https://[fe80::1%eth0]/": "",
		"https://a[::1]/":         "",
		"https://[]/":             "",
	} {
		if got := normal(in); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
	// What is refused is not the same as what it begins with.
	if sameURL("https://a/ ", "https://a/") || sameURL("https://a/", "https://a/ ") || sameURL("ftp://a/", "ftp://a/") {
		t.Error("a URL that is refused is the same as another")
	}
	long := "https://a/" + strings.Repeat("b", maxURL-len("https://a/"))
	if normal(long) != long || normal(long+"b") != "" {
		t.Error("the length is not bounded")
	}
}

// FuzzURL holds that the one form is one, that it is a URL of the same place, and that spellings which RFC 3986 holds to be
// the same have it in common.
func FuzzURL(f *testing.F) {
	for _, s := range []string{
		"https://a.example/b/../c?d#e", "HTTP://A:80/%7e/./%2F", "https://[::1]:8443", "https://a@b/", "https://bücher.example/%c3%bc/..",
		"https://a/%2e%2E/..", "https://a/b//../c", "http://a:443/.", "https://a/|^/.|/..",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		one := normal(s)
		if one == "" {
			return
		}
		if again := normal(one); again != one && len(one) <= maxURL { // what was escaped is longer
			t.Fatalf("%q becomes %q and then %q", s, one, again)
		}
		if len(one) > 3*len(s)+2*len("https://a:") || strings.ContainsAny(one, "?# ") {
			t.Fatalf("%q becomes %q", s, one)
		}
		scheme, rest, _ := strings.Cut(one, "://")
		authority, path, _ := strings.Cut(rest, "/")
		for _, segment := range strings.Split(path, "/") {
			if segment == "." || segment == ".." {
				t.Fatalf("%q becomes %q", s, one)
			}
		}
		if strings.Contains(authority, "@") || authority == "" {
			t.Fatalf("%q becomes %q", s, one)
		}
		port := "443"
		if scheme == "http" {
			port = "80"
		}
		spellings := []string{strings.ToUpper(scheme) + "://" + authority + "/x/../" + path + "?a", scheme + "://" + authority + "/./" + path}
		if i := strings.LastIndexByte(authority, ':'); i < 0 || strings.HasSuffix(authority, "]") {
			spellings = append(spellings, scheme+"://"+authority+":"+port+"/"+path)
		}
		for _, other := range spellings {
			if len(other) < maxURL && !sameURL(s, other) {
				t.Fatalf("%q is not %q", s, other)
			}
		}
		if u, err := url.Parse(one); err == nil && (u.Scheme != scheme || u.User != nil) {
			t.Fatalf("%q becomes %q", s, one)
		}
	})
}

func BenchmarkURL(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if !sameURL("https://api.example/v1/orders/17", "https://api.example/v1/orders/17?expand=lines") {
			b.Fatal("not the same")
		}
	}
}
