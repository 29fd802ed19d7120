package oauth

import (
	"crypto/subtle"
	"errors"
	"net/url"
)

// ExpectCallback is what is known of the authorization request that a response answers. The zero value is refused.
type ExpectCallback struct {
	// State is the state of the request, which this browser was given. NoState says that there was none, which only suits
	// a request that PKCE or a nonce protects from forgery (RFC 9700, Section 2.1).
	State   string
	NoState bool
	// Issuer is the issuer identifier of the server to which the request went. NoIssuer says that it has none that is
	// known: with more than one authorization server, the response of one can then be passed off as that of another.
	Issuer   string
	NoIssuer bool
	// IssuerSent says that the server's metadata has authorization_response_iss_parameter_supported: a response without iss
	// is refused (RFC 9207, Section 2.4). Without it iss may be absent, and is compared where it is there.
	IssuerSent bool
}

// Callback is a successful response of the authorization endpoint.
type Callback struct {
	Code   string     // for the token endpoint of the expected issuer, and no other
	Issuer string     // iss, where it was sent
	Params url.Values // all parameters
}

// ParseCallback reads what the browser brings back from the authorization endpoint: the query of the redirect URI, or the
// form of response_mode form_post. Once it is known to be the response to this request of this server, an error in it is
// returned as the server's *[Error]. All other errors say that it is not, or is malformed; they answer with [InvalidRequest], and
// the request is still open. An iss that is not the issuer's is issuer.mismatch beside that.
func ParseCallback(params url.Values, x ExpectCallback) (*Callback, error) {
	if (x.State == "") == !x.NoState || (x.Issuer == "") == !x.NoIssuer || x.NoIssuer && x.IssuerSent {
		return nil, errors.New("oauth: ExpectCallback has no State or no Issuer; NoState and NoIssuer are how to do without")
	}
	for name, values := range params {
		// RFC 6749, Section 3.1; whoever reads the other one would decide otherwise.
		if len(values) > 1 {
			return nil, refuse(InvalidRequest, "the response has a parameter twice: %.40s", name)
		}
	}
	if params.Has("response") {
		return nil, refuse(InvalidRequest, "the response is a JWT, which is not read here")
	}
	// RFC 6749, Section 10.12: the state is a secret of this browser.
	if subtle.ConstantTimeCompare([]byte(params.Get("state")), []byte(x.State)) != 1 {
		return nil, refuse(InvalidRequest, "the state is not that of the request")
	}
	switch iss := params.Get("iss"); {
	case x.IssuerSent && iss == "":
		return nil, &Error{
			Code: InvalidRequest, Description: "the response does not say whose it is",
			Cause: errIssuer.With("iss is missing"),
		}
	// RFC 9207, Section 2.4: compared as strings, for errors too.
	case params.Has("iss") && !x.NoIssuer:
		if err := CheckIssuer(iss, x.Issuer); err != nil {
			return nil, &Error{Code: InvalidRequest, Description: "the response is that of another server", Cause: err}
		}
	}
	code, failed := params.Get("code"), params.Has("error")
	switch {
	case failed && params.Has("code"):
		return nil, refuse(InvalidRequest, "the response has both code and error")
	case failed:
		e := &Error{Code: clean(params.Get("error"), maxCode), Description: clean(params.Get("error_description"), maxDescription)}
		if uri := params.Get("error_uri"); validURI(uri) {
			e.URI = uri
		}
		if e.Code == "" {
			return nil, refuse(InvalidRequest, "the response has an error without a code")
		}
		return nil, e
	case code == "":
		return nil, refuse(InvalidRequest, "the response has neither code nor error")
	}
	return &Callback{Code: code, Issuer: params.Get("iss"), Params: params}, nil
}
