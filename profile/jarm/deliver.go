package jarm

import (
	"errors"
	"html"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/jotsuite/jot/oauth"
)

// The values of response_mode (JARM, Section 2.3).
const (
	Query    = "query.jwt"
	Fragment = "fragment.jwt"
	FormPost = "form_post.jwt"
	Default  = "jwt" // Query for the response_type code, Fragment for others
)

// maxForm is the most that is read of a form.
const maxForm = 128 << 10

// Write answers a request to the authorization endpoint with the response, in the response mode that was asked for, to
// the redirect URI that was registered and asked for. It writes nothing when it returns an error: for a mode that is
// none of the four, a redirect URI to which nothing can be sent, and a token in a query that is not encrypted.
func Write(w http.ResponseWriter, mode, responseType, redirectURI, response string) error {
	u, err := url.Parse(redirectURI)
	// RFC 6749, Section 3.1.2.
	if err != nil || u.Scheme == "" || strings.Contains(redirectURI, "#") {
		return errors.New("jarm: a redirect URI is absolute and has no fragment")
	}
	types := strings.Fields(responseType)
	tokens := slices.Contains(types, "token") || slices.Contains(types, "id_token")
	if mode == Default {
		// JARM, Section 2.3.4.
		mode = Query
		if tokens {
			mode = Fragment
		}
	}
	h := w.Header()
	switch mode {
	case Query:
		// JARM, Section 2.3.1: URLs are logged. Five parts are encrypted (RFC 7516, Section 9).
		if tokens && strings.Count(response, ".") != 4 {
			return errors.New("jarm: tokens are not sent in the query unless they are encrypted")
		}
		separator := "?"
		if strings.Contains(redirectURI, "?") {
			separator = "&" // RFC 6749, Section 3.1.2: its own query stays as it is
		}
		h.Set("Location", redirectURI+separator+"response="+url.QueryEscape(response))
	case Fragment:
		h.Set("Location", redirectURI+"#response="+url.QueryEscape(response))
	case FormPost:
		if u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
			return errors.New("jarm: a form is sent to a URL")
		}
		noStore(h)
		form(w, redirectURI, response)
		return nil
	default:
		return errors.New("jarm: an unknown response mode")
	}
	noStore(h)
	w.WriteHeader(http.StatusSeeOther) // RFC 9700, Section 4.12: what the user has typed is not sent on
	return nil
}

func noStore(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
}

const submit = "document.forms[0].submit()"

// policy lets the page do nothing but to run submit, whose hash it has. It says nothing of form-action: that would forbid
// the redirects with which a client answers.
const policy = "default-src 'none'; script-src 'sha256-ePniVEkSivX/c7XWBGafqh8tSpiRrKiqYeqbG7N1TOE='; base-uri 'none'; frame-ancestors 'none'"

// form writes a page that sends the response on by itself (OAuth 2.0 Form Post Response Mode; JARM, Section 2.3.3).
func form(w http.ResponseWriter, redirectURI, response string) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = io.WriteString(w, `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Continue</title></head><body>
<form method="post" action="`+html.EscapeString(redirectURI)+`">
<input type="hidden" name="response" value="`+html.EscapeString(response)+`">
<noscript><button type="submit">Continue</button></noscript>
</form>
<script>`+submit+`</script>
</body></html>
`)
}

// Extract returns the response of a request to the client's redirect URI, in the query or in the form, and the parameter iss beside
// it, if it is there. Apart from these two and those that the redirect URI itself has, which own names, no parameter may be
// there, and none twice: a code beside the response is not signed. The error is an *oauth.Error.
//
// With fragment.jwt the response does not reach the server: the client's page reads it, and sends it on as a form.
func Extract(r *http.Request, own ...string) (response, iss string, err error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return "", "", refuse("the query cannot be read", err)
	}
	sent := query
	if r.Method == http.MethodPost {
		if sent, err = posted(r); err != nil {
			return "", "", err
		}
		// Its query is that of the redirect URI.
		for name := range query {
			if !slices.Contains(own, name) {
				return "", "", refuse("the response has another parameter beside it", nil)
			}
		}
	}
	for name, values := range sent {
		switch {
		case name == "response" || name == "iss":
			if len(values) > 1 {
				return "", "", refuse("the response has a parameter twice", nil)
			}
		case !slices.Contains(own, name):
			return "", "", refuse("the response has another parameter beside it", nil)
		}
	}
	if response = sent.Get("response"); response == "" {
		return "", "", refuse("the response is missing", nil)
	}
	return response, sent.Get("iss"), nil
}

// posted reads the form of a request.
func posted(r *http.Request) (url.Values, error) {
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/x-www-form-urlencoded" {
		return nil, refuse("the response is not a form", err)
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxForm+1))
	if err != nil {
		return nil, refuse("the form cannot be read", err)
	}
	if len(body) > maxForm {
		return nil, &oauth.Error{Code: oauth.InvalidRequest, Description: "the form is too large", Status: http.StatusRequestEntityTooLarge}
	}
	sent, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, refuse("the form cannot be read", err)
	}
	return sent, nil
}

func refuse(description string, cause error) error {
	return &oauth.Error{Code: oauth.InvalidRequest, Description: description, Cause: cause}
}
