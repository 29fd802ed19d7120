package main

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/jotsuite/jot/jose/jwa"
	"github.com/jotsuite/jot/lint"
	"github.com/jotsuite/jot/oauth"
)

type explainCmd struct {
	Word string `arg:"" optional:"" words:"terms" help:"A claim (aud), header (crit), algorithm (ES256, A256GCM), kind (id-token), error (exp.expired) or exit code (4). Without it, all words are listed."`
}

func (c *explainCmd) Run(a *app) error {
	if c.Word == "" {
		a.data(vocabulary())
		return nil
	}
	var found []entry
	for _, t := range terms() {
		if t.word == c.Word {
			found = append(found, t)
		}
	}
	if len(found) == 0 {
		hint := meant(c.Word, termWords(), "jot explain lists all words")
		return fail(exitUsage, hint, "%s is not a word that jot knows", quoted(c.Word))
	}
	var b strings.Builder
	for i, t := range found {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s\n%s\n", a.heading(t.word+" ("+t.what+")"), wrap(t.text, 78, "  "))
		if t.spec != "" {
			fmt.Fprintf(&b, "  See %s.\n", t.spec)
		}
	}
	a.data(b.String())
	return nil
}

// entry is a word and its explanation.
type entry struct{ word, what, spec, text string }

// terms is everything that explain knows: the words below, and from the library's own
// tables the rules of the kinds and the algorithms.
func terms() []entry {
	all := slices.Concat(words, refusals)
	for _, r := range lint.Rules() {
		all = append(all, entry{r.ID, "error", r.Spec, r.Text})
	}
	for _, alg := range slices.Concat(jwa.Signatures(), jwa.KeyManagement()) {
		text := algorithmText[alg.Family()]
		if c := alg.Curve(); c != "" && alg.KeyType() == "EC" {
			text += " Its keys are on the curve " + c + "."
		}
		if n := alg.SignatureSize(); n > 0 {
			text += fmt.Sprintf(" A signature has %d bytes.", n)
		}
		if n := alg.KeySize(); n > 0 {
			text += fmt.Sprintf(" The AES key that wraps has %d bits.", 8*n)
		}
		switch {
		case alg == jwa.RSA1_5:
			text += " The older padding: whoever can tell its failures apart decrypts with the key, so that it takes --allow-rsa1_5."
		case alg.Family() == "RSAES":
			text += " The newer padding, with " + alg.Hash().String() + "."
		case alg.Deprecated():
			text += " A newer name is preferred."
		}
		all = append(all, entry{alg.Name(), "algorithm", alg.Spec(), text})
	}
	for _, enc := range jwa.Encryptions() {
		text := "How the content is encrypted: AES-CBC, and a MAC over it."
		if strings.HasSuffix(enc.Name(), "GCM") {
			text = "How the content is encrypted: AES-GCM, which authenticates too."
		}
		all = append(all, entry{enc.Name(), "algorithm", enc.Spec(), text + fmt.Sprintf(" Its key has %d bits.", 8*enc.KeySize())})
	}
	return all
}

func termWords() []string {
	var all []string
	for _, t := range terms() {
		all = append(all, t.word)
	}
	return all
}

var algorithmText = map[string]string{
	"HMAC":              "A MAC made with one secret that both sides hold: who can verify can also sign. The secret has at least as many bytes as the hash.",
	"RSASSA-PKCS1-v1_5": "An RSA signature with the older padding, which most issuers use. Keys have at least 2048 bits.",
	"RSASSA-PSS":        "An RSA signature with the newer padding, a salt as long as the hash. Keys have at least 2048 bits.",
	"ECDSA":             "A signature on an elliptic curve. The two numbers stand one after the other, not in DER.",
	"EdDSA":             "A signature with Ed25519: small, fast, and without a random number that could go wrong.",
	"RSAES":             "The content's key is encrypted to an RSA key.",
	"AES-KW":            "The content's key is wrapped with a secret that both sides hold.",
	"AES-GCMKW":         "The content's key is encrypted with AES-GCM under a secret that both sides hold.",
	"direct":            "The secret that both sides hold is the content's key itself, for one enc alone.",
	"ECDH-ES":           "Both sides agree on a key, the sender with a new one for each token. The recipient's is on P-256, P-384, P-521 or X25519.",
	"PBES2":             "The content's key is wrapped with a key made of a password, slowly, so that passwords are hard to try.",
}

// words has the claims, the headers, the kinds, the errors, the exit codes.
var words = []entry{
	{"iss", "claim", "RFC 7519, Section 4.1.1", "Issuer: who made the token. Compared as an exact string; a slash at the end counts. A key found for one issuer never verifies another's tokens."},
	{"sub", "claim", "RFC 7519, Section 4.1.2", "Subject: whom the token is about. Unique only within its issuer."},
	{"aud", "claim", "RFC 7519, Section 4.1.3", "Audience: whom the token is for, a string or an array of them. Who is not among them must refuse the token."},
	{"exp", "claim", "RFC 7519, Section 4.1.4", "Expiry: from this second on the token is refused. Seconds since 1970 in UTC, fractions allowed."},
	{"nbf", "claim", "RFC 7519, Section 4.1.5", "Not before: until this second the token is refused."},
	{"iat", "claim", "RFC 7519, Section 4.1.6", "Issued at: when the token was made. One in the future, beyond the leeway, is refused."},
	{"jti", "claim", "RFC 7519, Section 4.1.7", "Identifier of the token, for those who accept each only once."},
	{"nonce", "claim", "OpenID Connect Core 1.0, Section 2", "The value of the request, given back. It ties the token to that request; in other protocols it is the server's value that makes a proof fresh."},
	{"azp", "claim", "OpenID Connect Core 1.0, Section 2", "Authorized party: the client that the ID token was issued to."},
	{"at_hash", "claim", "OpenID Connect Core 1.0, Section 3.1.3.6", "The left half of the access token's hash: ties an ID token to the access token beside it."},
	{"c_hash", "claim", "OpenID Connect Core 1.0, Section 3.3.2.11", "The left half of the authorization code's hash: ties an ID token to the code beside it."},
	{"s_hash", "claim", "FAPI 1.0 Advanced, Section 5.1", "The left half of the state's hash: ties an ID token to the state of the request."},
	{"auth_time", "claim", "OpenID Connect Core 1.0, Section 2", "When the user last logged in."},
	{"acr", "claim", "OpenID Connect Core 1.0, Section 2", "How strongly the user was authenticated, by a name that both sides know."},
	{"amr", "claim", "RFC 8176", "By which methods the user was authenticated, such as pwd and otp."},
	{"scope", "claim", "RFC 8693, Section 4.2", "What the access token permits: words with a space between them."},
	{"client_id", "claim", "RFC 8693, Section 4.3", "The client that the token was issued to."},
	{"cnf", "claim", "RFC 7800, Section 3", "Confirmation: the key, or its thumbprint, that the presenter has to prove it holds."},
	{"act", "claim", "RFC 8693, Section 4.1", "Actor: who acts for the subject."},
	{"may_act", "claim", "RFC 8693, Section 4.4", "Who is permitted to act for the subject."},
	{"events", "claim", "RFC 8417, Section 2.2", "The events that a security event token reports, by their URIs."},
	{"sub_id", "claim", "RFC 9493, Section 4.1", "Subject as an object: its format says which members identify it."},
	{"sid", "claim", "OpenID Connect Front-Channel Logout 1.0, Section 3", "The session at the provider."},
	{"htm", "claim", "RFC 9449, Section 4.2", "The HTTP method that a DPoP proof is for."},
	{"htu", "claim", "RFC 9449, Section 4.2", "The URL that a DPoP proof is for, without query and fragment."},
	{"ath", "claim", "RFC 9449, Section 4.2", "The hash of the access token that a DPoP proof goes with."},
	{"vct", "claim", "draft-ietf-oauth-sd-jwt-vc, Section 3.2.2.1", "The type of a verifiable credential."},
	{"_sd", "claim", "RFC 9901, Section 4.2.4.1", "The digests of the claims that the holder may disclose."},
	{"_sd_alg", "claim", "RFC 9901, Section 4.1.1", "The hash of the digests; sha-256 if absent."},
	{"status", "claim", "draft-ietf-oauth-status-list, Section 6.2", "Where to look up whether the token was revoked."},
	{"jwks", "claim", "OpenID Federation 1.0, Section 3", "The keys of the entity that a statement is about. In a self-signed statement they prove nothing by themselves."},
	{"metadata", "claim", "OpenID Federation 1.0, Section 3", "What the entity says of itself, by the role it plays."},
	{"qsh", "claim", "Atlassian Connect, query string hash", "The hash of the request that the token signs."},
	{"token_introspection", "claim", "RFC 9701, Section 5", "The introspection response, apart from the claims of the token around it."},

	{"alg", "header", "RFC 7515, Section 4.1.1", "The algorithm. It only selects among the keys that the verifier trusts already: a key knows its own algorithm, and a token cannot change it. none is never accepted."},
	{"kid", "header", "RFC 7515, Section 4.1.4", "Which key. Any string of the issuer's choosing; a hint, not a reason to trust."},
	{"typ", "header", "RFC 7515, Section 4.1.9", "The kind of token, so that one kind cannot pass for another. Compared without case and without application/ in front."},
	{"cty", "header", "RFC 7515, Section 4.1.10", "What the payload is. JWT says that another token is inside."},
	{"crit", "header", "RFC 7515, Section 4.1.11", "The extensions that the verifier must understand, or refuse the token."},
	{"b64", "header", "RFC 7797, Section 3", "false says that the payload is not base64url. Not in a JWT."},
	{"jwk", "header", "RFC 7515, Section 4.1.3", "The key itself. Anyone can put theirs here: never trusted by itself."},
	{"jku", "header", "RFC 7515, Section 4.1.2", "Where the key set is. Never followed: the sender would choose the key."},
	{"x5u", "header", "RFC 7515, Section 4.1.5", "Where the certificate is. Never followed."},
	{"x5c", "header", "RFC 7515, Section 4.1.6", "The certificate chain. Worth only as much as its path to an anchor that you trust."},
	{"x5t", "header", "RFC 7515, Section 4.1.7", "The SHA-1 thumbprint of the certificate. Never used."},
	{"x5t#S256", "header", "RFC 7515, Section 4.1.8", "The SHA-256 thumbprint of the certificate."},
	{"enc", "header", "RFC 7516, Section 4.1.2", "How the content of an encrypted token is encrypted."},
	{"zip", "header", "RFC 7516, Section 4.1.3", "How the content was compressed before it was encrypted: DEF. It may not grow beyond a limit."},
	{"epk", "header", "RFC 7518, Section 4.6.1.1", "The sender's new public key, for this token alone, that ECDH-ES agrees with."},
	{"apu", "header", "RFC 7518, Section 4.6.1.2", "Who encrypted, in base64url; ECDH-ES binds the key to it."},
	{"apv", "header", "RFC 7518, Section 4.6.1.3", "Whom it is encrypted to, in base64url; ECDH-ES binds the key to it."},
	{"iv", "header", "RFC 7518, Section 4.7.1.1", "The initialization vector of the content's key, where AES-GCM wraps it."},
	{"tag", "header", "RFC 7518, Section 4.7.1.2", "The tag of the content's key, where AES-GCM wraps it."},
	{"p2s", "header", "RFC 7518, Section 4.8.1.1", "The salt that the key is made with from a password; at least 8 bytes."},
	{"p2c", "header", "RFC 7518, Section 4.8.1.2", "How many rounds it takes to make a key of a password. The sender chooses it, so that fewer than 1,000 and more than 1,200,000 are refused."},
	{"none", "algorithm", "RFC 8725, Section 3.2", "No signature at all. jot never makes and never accepts it."},

	{"jwt", "kind", "RFC 7519", "A JSON Web Token of no particular kind: claims with a signature."},
	{"id-token", "kind", "OpenID Connect Core 1.0, Section 2", "Tells a client who logged in. For the client alone, never for an API."},
	{"access-token", "kind", "RFC 9068", "Lets a client call an API. For the API, opaque to the client."},
	{"request-object", "kind", "RFC 9101", "The parameters of an authorization request, signed by the client."},
	{"client-assertion", "kind", "RFC 7523, Section 2.2", "How a client proves who it is to the authorization server: iss and sub are both the client."},
	{"dpop-proof", "kind", "RFC 9449, Section 4", "Proves for one HTTP request that the sender holds a key. Its own jwk is the point, and still proves nothing without the access token that names it."},
	{"client-attestation", "kind", "draft-ietf-oauth-attestation-based-client-auth", "The maker of an app vouches for one instance of it and its key."},
	{"client-attestation-pop", "kind", "draft-ietf-oauth-attestation-based-client-auth", "The instance proves that it holds the key of its attestation."},
	{"ciba-request", "kind", "OpenID CIBA Core 1.0, Section 7.1.1", "A backchannel authentication request, signed by the client."},
	{"login-hint-token", "kind", "OpenID CIBA Core 1.0, Section 7.1", "Says which user a backchannel authentication is for."},
	{"jarm", "kind", "JARM, Section 2.1", "An authorization response, signed by the server."},
	{"userinfo", "kind", "OpenID Connect Core 1.0, Section 5.3.2", "The claims about a user, signed by the provider."},
	{"introspection", "kind", "RFC 9701", "What the authorization server says of an access token, signed."},
	{"authorization-grant", "kind", "RFC 7523, Section 2.1", "A third party's word, to be exchanged for an access token."},
	{"logout-token", "kind", "OpenID Connect Back-Channel Logout 1.0, Section 2.4", "Tells a client that a session is over."},
	{"security-event", "kind", "RFC 8417", "Reports events, such as an account that was disabled. It has no exp."},
	{"entity-statement", "kind", "OpenID Federation 1.0, Section 3", "What an entity of a federation says of itself or of one below it."},
	{"trust-mark", "kind", "OpenID Federation 1.0, Section 7", "Says that an entity meets a set of rules."},
	{"sd-jwt", "kind", "RFC 9901", "A token whose holder chooses which claims to show."},
	{"sd-jwt-vc", "kind", "draft-ietf-oauth-sd-jwt-vc", "A verifiable credential as an SD-JWT."},
	{"key-binding", "kind", "RFC 9901, Section 4.3", "Proves that who presents an SD-JWT holds its key."},
	{"key-proof", "kind", "OpenID4VCI 1.0, Appendix F", "Proves to a credential issuer that the wallet holds the key to put into the credential."},
	{"status-list", "kind", "draft-ietf-oauth-status-list", "The status of many tokens, a few bits each."},
	{"atlassian-request", "kind", "Atlassian Connect, Understanding JWT", "Signs one HTTP request between an Atlassian product and an app in it."},
	{"jwe", "kind", "RFC 7516", "An encrypted token: only its header can be seen without the key."},
	{"cwt", "kind", "RFC 8392", "The same claims in CBOR."},

	{"0", "exit code", "", "Verified, or done."},
	{"1", "exit code", "", "The token is refused: its signature, its claims or its type."},
	{"2", "exit code", "", "Usage: an option is missing, unknown or contradicts another."},
	{"3", "exit code", "", "The token or a key cannot be read: every error of token.* and json.*, and an encrypted key that its password does not open."},
	{"4", "exit code", "", "No key fits the token, or the key itself is refused."},
	{"5", "exit code", "", "A file or a URL is not to be had, or exists where it would be overwritten."},
	{"6", "exit code", "", "jot lint has found an error or a warning."},

	{"token.too_large", "error", "", "The token is larger than the limit: 64 KiB in the library unless raised, 1 MB here."},
	{"token.encrypted", "error", "RFC 7516, Section 9", "The token is encrypted where a signed one is due. --decrypt-key decrypts it first."},
	{"token.signed", "error", "RFC 7516, Section 9", "The token is only signed where an encrypted one is due."},
	{"token.depth", "error", "RFC 7519, Section 7.2", "More tokens are one in another than the limit allows."},
	{"token.malformed", "error", "RFC 7515, Section 7.1", "This is not three parts of base64url with a dot between them. White space, padding, URL encoding and other words around the token are not removed for you: what is verified is what was received."},
	{"token.encoding", "error", "RFC 7515, Section 2", "A part is not canonical base64url: the same bytes could be written in another way, so that a changed token would still verify."},
	{"json.syntax", "error", "RFC 8259", "This is not JSON."},
	{"json.duplicate", "error", "RFC 7519, Section 4", "A name occurs twice in one object. Two readers could take different values from it."},
	{"json.utf8", "error", "RFC 8259, Section 8.1", "The JSON is not UTF-8."},
	{"json.surrogate", "error", "RFC 7493, Section 2.1", "A string has half of a character in it."},
	{"json.trailing", "error", "RFC 8259, Section 2", "Something follows the JSON value."},
	{"json.depth", "error", "RFC 8259, Section 9", "Objects or arrays are nested deeper than the limit."},
	{"json.limit", "error", "RFC 8259, Section 9", "A number, a name, or the count of members is over the limit."},
	{"json.type", "error", "RFC 7519, Section 7.2", "A member has another type than it must have: a string for a number, or null."},
	{"json.number", "error", "RFC 7519, Section 2", "A number is out of range, or would lose digits."},
	{"alg.missing", "error", "RFC 7515, Section 4.1.1", "The header has no alg, or one that is not a string."},
	{"alg.none", "error", "RFC 8725, Section 3.2", "The token says that it is not signed. It is refused, always."},
	{"alg.unknown", "error", "RFC 8725, Section 3.1", "The algorithm has no meaning here. Names are case-sensitive."},
	{"alg.not_allowed", "error", "RFC 8725, Section 3.1", "The algorithm is not among those that the policy or the keys allow."},
	{"alg.mismatch", "error", "RFC 8725, Section 3.1", "The key is for another algorithm than the token names. If the key names none itself, --alg says which it is for; never take it from the token."},
	{"alg.invalid", "error", "RFC 7515, Section 4.1.1", "An algorithm of one's own has a name that is taken, forbidden or no name."},
	{"crit.invalid", "error", "RFC 7515, Section 4.1.11", "crit is not a list of names, or lists one that it may not."},
	{"crit.unknown", "error", "RFC 7515, Section 4.1.11", "The token demands that an extension be understood, and it is not."},
	{"b64.invalid", "error", "RFC 7797, Section 7", "A JWT has an encoded payload: b64 may not be false."},
	{"typ.mismatch", "error", "RFC 8725, Section 3.11", "The token says that it is of another type than the one that is due here. With no type asked for, only JWT or none passes."},
	{"cty.mismatch", "error", "RFC 7519, Section 5.2", "An encrypted token with a signed one in it must say so: cty JWT. Whoever encrypts it has to set that."},
	{"header.invalid", "error", "RFC 7515, Section 4", "The header breaks a rule that has no code of its own."},
	{"header.conflict", "error", "RFC 7515, Section 7.2.1", "The protected and the unprotected header have a name in common."},
	{"header.unprotected", "error", "RFC 7515, Section 7.2.1", "A member that must be protected by the signature is not."},
	{"key.none", "error", "RFC 7515, Section 6", "None of the keys fits what the token's header asks for. A kid in the key and in the token must be the same."},
	{"key.ambiguous", "error", "RFC 7515, Section 6", "More than four keys fit. Give keys a kid, or give fewer keys."},
	{"key.invalid", "error", "RFC 7517, Section 4", "The key is malformed or contradicts itself: a point off its curve, a length that is wrong, private and public parts that do not belong together."},
	{"key.weak", "error", "RFC 8725, Section 3.5", "The key is not strong enough: a secret shorter than its hash, an RSA key under 2048 bits or with a known weakness."},
	{"key.use", "error", "RFC 7517, Section 4.2", "use, key_ops or alg says that the key is for something else."},
	{"key.unsupported", "error", "RFC 7517, Section 4.1", "The key's type, its curve or its algorithm are not known here."},
	{"key.private", "error", "RFC 7517, Section 9.2", "A private or secret key stands where a public one is due, or the other way round."},
	{"key.limit", "error", "RFC 7517", "The key or the set is too large."},
	{"key.fips", "error", "FIPS 140-3", "The FIPS mode of this program forbids the key."},
	{"sig.invalid", "error", "RFC 7515, Section 5.2", "The signature was not made over this token with this key. Either the token was changed, or the key is another one."},
	{"dec.failed", "error", "RFC 7516, Section 5.2", "The token cannot be decrypted. Whether the key, the padding, a length or the tag was wrong is not told, because that would help whoever tries."},
	{"enc.missing", "error", "RFC 7516, Section 4.1.2", "The header does not say how the content is encrypted."},
	{"enc.unknown", "error", "RFC 7516, Section 4.1.2", "The content encryption has no meaning here. Names are case-sensitive."},
	{"enc.not_allowed", "error", "RFC 8725, Section 3.1", "The content encryption is not among those that are allowed here."},
	{"enc.present", "error", "draft-ietf-jose-hpke-encrypt, Section 5", "The algorithm encrypts the content itself, and still there is an enc."},
	{"zip.unknown", "error", "RFC 7516, Section 4.1.3", "The content is compressed in another way than DEF."},
	{"sig.none", "error", "RFC 7515, Section 7.2.1", "The list of signatures is empty."},
	{"iss.missing", "error", "RFC 8725, Section 3.8", "The token does not say who issued it."},
	{"iss.mismatch", "error", "RFC 8725, Section 3.8", "The issuer is none of those that were named. It is compared as an exact string: look for a slash at the end."},
	{"aud.missing", "error", "RFC 8725, Section 3.9", "The token does not say whom it is for."},
	{"aud.mismatch", "error", "RFC 7519, Section 4.1.3", "The token is for someone else. A server that accepts it would let one service act with the tokens of another."},
	{"exp.missing", "error", "RFC 7519, Section 4.1.4", "The token never ends. --optional-exp accepts that."},
	{"exp.expired", "error", "RFC 7519, Section 4.1.4", "The token has ended. --ignore-exp accepts it, to look at an old one."},
	{"exp.lifetime", "error", "RFC 7523, Section 3", "The token lives longer than the policy allows."},
	{"nbf.early", "error", "RFC 7519, Section 4.1.5", "The token is not valid yet. Look at the clocks first."},
	{"nbf.order", "error", "RFC 7519, Section 4.1.5", "The token ends before it begins."},
	{"iat.missing", "error", "RFC 7519, Section 4.1.6", "The token does not say when it was made, and the policy needs that."},
	{"iat.future", "error", "RFC 7519, Section 4.1.6", "The token was made in the future. Look at the clocks first."},
	{"iat.too_old", "error", "RFC 7519, Section 4.1.6", "The token was made longer ago than the policy allows."},
	{"jti.missing", "error", "RFC 7519, Section 4.1.7", "The token has no identifier, and the policy accepts each token once."},
	{"jti.replayed", "error", "RFC 7519, Section 4.1.7", "The token was used before."},
	{"jti.full", "error", "RFC 7519, Section 4.1.7", "So many tokens are remembered that none can be added; what cannot be remembered is refused."},
	{"keys.unreachable", "error", "RFC 8725, Section 3.8", "The keys cannot be had: nobody answers, or what is answered is no key set. It says nothing about any token."},
	{"keys.stale", "error", "RFC 9111, Section 4.2.4", "The keys are too old to be used, and no others can be had now."},
	{"keys.refused_url", "error", "RFC 8725, Section 3.10", "The URL, or the address behind it, may not be fetched: it is not https, or a document leads to an address that is not public."},
	{"keys.options", "error", "", "What was asked for contradicts itself, such as a new key each minute for tokens that live a day."},
	{"keys.state", "error", "", "What is in the folder is not the state of a rotation of keys."},
	{"keys.conflict", "error", "", "Other processes kept changing the keys in the folder. Try again."},
	{"keys.exposed", "error", "RFC 7517, Section 9.2", "Others have access to private keys in files, or may write keys. chmod 700 for the folder and 600 for the files takes it from them."},
	{"issuer.mismatch", "error", "RFC 8414, Section 3.3", "The metadata is that of another issuer. It is compared as an exact string: look for a slash at the end."},
	{"issuer.untrusted", "error", "RFC 8725, Section 3.8", "The issuer is none of those that are trusted, so that no key of it is looked for."},
	{"metadata.malformed", "error", "RFC 8414, Section 2", "The metadata cannot be read, or lacks what it must have."},
	{"keys.file", "error", "", "The file with the keys cannot be read."},
	{"limit.address", "error", "RFC 6585, Section 4", "The address asks more often than the server allows each: limits.address in its configuration. Behind a proxy, client_addresses tells it whose requests they are."},
	{"limit.client", "error", "RFC 6585, Section 4", "The client asks more often than the server allows each: limits.client in its configuration. A client keeps its token until that expires."},
	{"client.none", "error", "RFC 6749, Section 2.3", "The request names no client, and it needs one: client_id, Authorization: Basic, or a client_assertion."},
	{"client.unknown", "error", "RFC 6749, Section 2.3", "There is no client of that name. jot client list shows those that there are."},
	{"client.credentials", "error", "RFC 6749, Section 2.3.1", "The client has sent no credentials, or none that can be read. In Authorization: Basic, client_id and secret are form-encoded before they are put into base64."},
	{"client.secret", "error", "RFC 6749, Section 2.3.1", "The secret is another than the client's, or the server no longer has the secrets under which the hash of it was made. jot client secret makes a new one."},
	{"client.method", "error", "RFC 6749, Section 2.3", "The client authenticates in another way than it has registered. jot client show says which that is, and jot client set changes it."},
	{"client.algorithm", "error", "RFC 7591, Section 2", "The client_assertion is signed with another algorithm than the client has registered."},
	{"client.certificate", "error", "RFC 8705, Section 2", "The certificate of the client is not there, is none of its own, has another name than the client has registered, or is not certified by the authorities that the server trusts. openssl x509 -noout -subject -nameopt RFC2253 prints the name as it has to be registered."},
	{"registration.missing", "error", "RFC 7591, Section 3", "A registration needs an initial access token as a bearer token, which jot client invite makes, and a change of one the token that the client got for it."},
	{"registration.token", "error", "RFC 7591, Section 3", "The token for registration was used, has expired, is that of another client, or was not made by this server. jot client invite makes a new one."},
	{"refresh.unknown", "error", "RFC 6749, Section 5.2", "The server has not made the refresh token, or no longer has the secret with which it did: secrets in its configuration. The client has to begin anew."},
	{"refresh.ended", "error", "RFC 6749, Section 5.2", "The refresh token was not used for too long, its grant has ended, or it was revoked: lifetimes in the configuration of the server. The client has to begin anew."},
	{"refresh.foreign", "error", "RFC 6749, Section 6", "The refresh token was issued to another client, or to one that has proved to hold another key."},
	{"refresh.reused", "error", "RFC 9700, Section 4.14.2", "The refresh token came a second time: someone has stolen it, or the client does not keep the one that it gets in its place. Its grant was revoked, and the client has to begin anew. refresh_retry in the configuration is for how long an answer that was lost can be asked for again."},
	{"exchange.impersonation", "error", "RFC 8693, Section 4.4", "The subject_token has no may_act, and the client may not take the place of its subject: jot client set --impersonation lets it. With an actor_token it would be delegation."},
	{"exchange.delegation", "error", "RFC 8693, Section 4.4", "The subject_token has no may_act, and the client may not act for its subject: jot client set --delegation lets it."},
	{"exchange.actor", "error", "RFC 8693, Section 4.4", "The actor_token was issued to another client than the one that exchanges."},
	{"exchange.foreign", "error", "RFC 8693, Section 4.4", "The subject_token was issued neither to the client nor for the API that it is, so how has the client come by it? jot client set --resource-server says which API it is."},
	{"client.attester", "error", "draft-ietf-oauth-attestation-based-client-auth", "A client attestation has come, and the server trusts nobody who makes them: attesters in its configuration."},
	{"server.options", "error", "", "What the authorization server is to be contradicts itself, or says too little. jot serve --check says so without starting it."},
	{"server.document", "error", "", "The client or the trusted issuer is not one that the server can use as it is configured: it names a resource, a scope or a method that is not there."},
	{"store.not_found", "error", "", "The store has nothing of that name, or it has ended."},
	{"store.conflict", "error", "", "Someone else was faster: there is a newer version, or one of that name. Look at it, and try again."},
	{"store.invalid", "error", "", "A name is empty, too long or no UTF-8, or what is to be stored is too large."},
	{"store.closed", "error", "", "The store is closed: the program is about to end."},
	{"store.newer", "error", "", "A newer version of jot has changed the database. This one would damage it: use the newer one, or bring back the copy from before."},
	{"store.setup", "error", "", "The database is not one that can be used: its file or its server is of another kind, or lacks what is needed."},
	{"cert.missing", "error", "RFC 7515, Section 4.1.6", "The header has no certificates, and the keys are found by them."},
	{"cert.malformed", "error", "RFC 7515, Section 4.1.6", "A certificate cannot be read."},
	{"cert.limit", "error", "RFC 8725, Section 3.15", "The chain of certificates is longer than the limit."},
	{"cert.untrusted", "error", "RFC 5280, Section 6.1", "The certificates do not lead to an authority that is trusted."},
	{"cert.expired", "error", "RFC 5280, Section 4.1.2.5", "A certificate has expired, or is not valid yet."},
	{"cert.usage", "error", "RFC 5280, Section 4.2.1.3", "The certificate is for another use than signing."},
	{"cert.name", "error", "RFC 5280, Section 4.2.1.6", "The certificate has another name than the one that is due."},
	{"cert.mismatch", "error", "RFC 7515, Section 4.1.8", "The thumbprint in the header is that of another certificate."},
	{"claim.missing", "error", "RFC 7519, Section 4", "A claim that the policy requires is not there."},
	{"claim.replicated", "error", "RFC 7519, Section 5.3", "The header of the encrypted token repeats a claim, and the signed one is another."},
	{"claim.type", "error", "RFC 7519, Section 7.2", "A claim has another type than it must have."},
	{"claim.collision", "error", "RFC 7519, Section 4", "A claim of one's own has the name of a registered one."},
	{"policy.invalid", "error", "RFC 8725, Section 3", "The policy does not say enough, or contradicts itself."},
}

// refusals are what a client is told by the token service. They are the codes of its log, too, where no other says more.
var refusals = []entry{
	{oauth.InvalidRequest, "error", "RFC 6749, Section 5.2", "The request lacks a parameter, repeats one, or is malformed. The description says which."},
	{oauth.InvalidClient, "error", "RFC 6749, Section 5.2", "The client is unknown, or has not authenticated by the method and with the credentials that it has registered. The server's log has the cause."},
	{oauth.InvalidGrant, "error", "RFC 6749, Section 5.2", "The assertion or refresh token is not good, was used or revoked, or was given to another client."},
	{oauth.UnauthorizedClient, "error", "RFC 6749, Section 5.2", "The client may not use this grant_type: jot client set --grant changes that."},
	{oauth.UnsupportedGrantType, "error", "RFC 6749, Section 5.2", "The server has no such grant_type. grant_types_supported in its metadata lists those that it has."},
	{oauth.InvalidScope, "error", "RFC 6749, Section 5.2", "The scope is malformed, unknown, or exceeds what the client, the grant or the API allows."},
	{oauth.AccessDenied, "error", "RFC 6749, Section 4.1.2.1", "A rule of the server forbids it."},
	{oauth.ServerError, "error", "RFC 6749, Section 4.1.2.1", "The server has failed, and its log has the cause. It is nothing that the client has done."},
	{oauth.TemporarilyUnavailable, "error", "RFC 6749, Section 4.1.2.1", "Something that the server needs does not answer, such as its database or the keys of another issuer, or someone asks too often. Try again; Retry-After says when, if it is there."},
	{oauth.InvalidToken, "error", "RFC 6750, Section 3.1", "The access token is expired, revoked, malformed, or for someone else."},
	{oauth.InsufficientScope, "error", "RFC 6750, Section 3.1", "The access token is good, and its scope does not reach so far."},
	{oauth.UnsupportedTokenType, "error", "RFC 7009, Section 2.2.1", "The server cannot revoke tokens of this type."},
	{oauth.InvalidRedirectURI, "error", "RFC 7591, Section 3.2.2", "A redirect_uri of the client is not valid."},
	{oauth.InvalidClientMetadata, "error", "RFC 7591, Section 3.2.2", "A member of the client's metadata is not valid, or asks for what the server does not let it have."},
	{oauth.InvalidSoftwareStatement, "error", "RFC 7591, Section 3.2.2", "The software statement is not valid."},
	{oauth.UnapprovedSoftwareStatement, "error", "RFC 7591, Section 3.2.2", "Who has made the software statement is not trusted: statements and statement_issuers in the configuration."},
	{oauth.InvalidTarget, "error", "RFC 8707, Section 2", "There is no such resource or audience, or the client or the grant may not have tokens for it."},
	{oauth.InvalidAuthorizationDetails, "error", "RFC 9396, Section 5", "The authorization details are malformed, of a type that the server does not know, or exceed what may be granted."},
	{oauth.InvalidDPoPProof, "error", "RFC 9449, Section 5", "The DPoP proof is not good, or is not there where the client's tokens have to be bound. A proof is for one request: its method, its URL, its minute."},
	{oauth.UseDPoPNonce, "error", "RFC 9449, Section 8", "The DPoP proof lacks a nonce of the server. It is in the header DPoP-Nonce of this answer: make a new proof with it, and ask again."},
	{oauth.UseAttestationChallenge, "error", "draft-ietf-oauth-attestation-based-client-auth", "The attestation's proof lacks a challenge of the server, which this answer has: make a new proof with it, and ask again."},
	{oauth.UseFreshAttestation, "error", "draft-ietf-oauth-attestation-based-client-auth", "The client attestation is too old: get a new one."},
	{oauth.InvalidClientAttestation, "error", "draft-ietf-oauth-attestation-based-client-auth", "The client attestation or its proof is not good."},
}

func vocabulary() string {
	groups := map[string][]string{}
	for _, t := range terms() {
		groups[t.what] = append(groups[t.what], t.word)
	}
	var b strings.Builder
	for _, g := range []struct{ what, title string }{
		{"claim", "claims"},
		{"header", "headers"},
		{"algorithm", "algorithms"},
		{"kind", "kinds"},
		{"error", "errors"},
		{"exit code", "exit codes"},
	} {
		fmt.Fprintf(&b, "%s\n%s\n", g.title, wrap(strings.Join(groups[g.what], " "), 78, "  "))
	}
	return b.String()
}

// meant is the hint of which of names is like one that is none of them, or else all.
func meant(name string, names []string, all string) string {
	like := nearest(name, names)
	if len(like) == 0 {
		return all
	}
	return "did you mean " + strings.Join(like, ", ") + "?"
}

// nearest are those of names that are most like one that is unknown.
func nearest(word string, names []string) []string {
	type candidate struct {
		word     string
		distance int
	}
	var list []candidate
	lower := strings.ToLower(word)
	for _, name := range names {
		have := strings.ToLower(name)
		d := editDistance(lower, have)
		if d > 1 && len(lower) > 2 && strings.Contains(have, lower) {
			d = 1
		}
		if d <= max(1, len(word)/3) {
			list = append(list, candidate{name, d})
		}
	}
	sort.SliceStable(list, func(i, j int) bool { return list[i].distance < list[j].distance })
	var out []string
	for _, c := range list {
		if out = appendNew(out, c.word); len(out) == 5 {
			break
		}
	}
	return out
}

// editDistance counts the single changes that make b of a.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := corner
			if a[i] != b[j] {
				cost++
			}
			corner = row[j+1]
			row[j+1] = min(cost, row[j]+1, corner+1)
		}
	}
	return row[len(b)]
}

// wrap breaks text at spaces into lines of at most width characters.
func wrap(text string, width int, indent string) string {
	var b strings.Builder
	line := indent
	for _, word := range strings.Fields(text) {
		if len(line) > len(indent) {
			if len(line)+1+len(word) > width {
				b.WriteString(line + "\n")
				line = indent
			} else {
				line += " "
			}
		}
		line += word
	}
	b.WriteString(line)
	return b.String()
}
