package lint

import "strings"

// Rule is what there is to say of a rule whatever the token is.
type Rule struct {
	ID     string // a code of a verifier, or a name that begins with lint.
	Text   string // what it means that the rule is broken
	Spec   string // the clause, where it is the same for all kinds
	Remedy string // what to do

	message string // of this package's findings, where it is not Text; %s is what they are about
}

// Rules returns the rules of this package and those of the verifiers of package profile, in a fixed order. The codes of the
// formats, such as sig.invalid, are not among them.
func Rules() []Rule {
	var all []Rule
	for _, r := range table {
		if r.Text != "" {
			r.message = ""
			all = append(all, r)
		}
	}
	return all
}

// rules is the table by ID.
var rules = func() map[string]Rule {
	m := make(map[string]Rule, len(table))
	for _, r := range table {
		m[r.ID] = r
	}
	return m
}()

// says is the message of a finding of this package.
func (r Rule) says(text string) string {
	if r.message == "" {
		return r.Text
	}
	return strings.Replace(r.message, "%s", text, 1)
}

var table = []Rule{
	{ID: "lint.prefixed", Text: "It has a prefix in place of a header and claims after it: an opaque token, for its issuer alone.", Spec: "RFC 7515, Section 3", Remedy: "do not read it; only its issuer knows whether it is good"},
	{ID: "lint.padded", Remedy: "AWS load balancers pad x-amzn-oidc-data so; take the padding off only once it is certain that the load balancer has sent it"},
	{ID: "lint.alg_deprecated", Text: "The algorithm goes by an older name, which still is what nearly everyone writes.", Spec: "RFC 9864, Section 4.1.2", Remedy: "nothing has to be done: Ed25519 is the name of today, and both are understood"},
	{ID: "lint.typ_missing", Text: "No typ says what the token is for.", Spec: "RFC 8725, Section 3.11", Remedy: "write typ %s"},
	{ID: "lint.vc_sd_jwt", Text: "vc+sd-jwt is what drafts called it.", Spec: "draft-ietf-oauth-sd-jwt-vc, Section 3.2.1", Remedy: "the issuer writes dc+sd-jwt"},
	{ID: "lint.url_ignored", Text: "The header says where a key is, and verifiers do not follow that: the sender would choose the key.", Spec: "RFC 8725, Section 3.10", Remedy: "leave %s out; the issuer's metadata says where its keys are"},
	{ID: "lint.jwk_ignored", Text: "The header has a key, which verifiers of this kind do not use: the sender would choose the key.", Spec: "RFC 8725, Section 3.10", Remedy: "leave jwk out; the issuer's metadata says where its keys are"},
	{ID: "lint.graph_nonce", Text: "The header has a nonce, as access tokens for Microsoft Graph do: the signature was made over another header, so that nobody else can verify it.", Spec: "RFC 7515, Section 5.2", Remedy: "ask for a token for your own API, with a scope such as api://CLIENT_ID/.default"},
	{ID: "lint.kid_injection", Text: "The kid looks like an attack on who looks up keys carelessly.", Spec: "RFC 8725, Section 3.10", Remedy: "a kid is only compared; it is no part of a path, a query or a command", message: "the kid looks like an attack on who looks up keys carelessly: %s"},
	{ID: "lint.private_key", Text: "A private key, or a secret, stands where a public one belongs.", Spec: "RFC 7517, Section 9.2", Remedy: "replace the key: it is known to all who saw the token"},
	{ID: "lint.unbound", Text: "The token does not say by whom, or for whom, it is, so that the policy has to do without.", Spec: "RFC 8725, Sections 3.8 and 3.9", Remedy: "have %s written; AnyIssuer and AnyAudience are how to do without", message: "%s is missing, so that a policy has to do without"},
	{ID: "lint.expired", Text: "The token has expired.", Spec: "RFC 7519, Section 4.1.4", message: "it has expired, at %s"},
	{ID: "lint.not_yet_valid", Text: "The token is not valid yet.", Spec: "RFC 7519, Section 4.1.5", message: "it is not valid before %s"},
	{ID: "lint.future", Text: "The token was issued in the future.", Spec: "RFC 7519, Section 4.1.6", Remedy: "look at the clocks", message: "it was issued in the future, at %s"},
	{ID: "lint.lifetime", Text: "The token lives long for its kind.", Spec: "RFC 9700, Section 2.2", Remedy: "whoever steals it can use it for as long", message: "it lives for %s, which is long for its kind"},
	{ID: "lint.metadata_null", Text: "A member of the metadata is null, which is an error.", Spec: "OpenID Federation 1.0, Section 5", Remedy: "leave the member out", message: "%s is null"},
	{ID: "lint.no_nonce_endpoint", Text: "The credential issuer names no nonce_endpoint; a nonce is no longer in other responses.", Spec: "OpenID4VCI 1.0, Section 7", Remedy: "name the endpoint, if proofs need a nonce"},
	{ID: "lint.rsa1_5", Text: "RSA1_5 is broken wherever its failures can be told apart.", Spec: "RFC 8725, Section 3.2", Remedy: "encrypt with RSA-OAEP-256 or ECDH-ES"},
	{ID: "lint.zip", Text: "The content was compressed before it was encrypted, so that its length tells of it.", Spec: "RFC 8725, Section 3.6", Remedy: "do not compress what an attacker has a part in"},
	{ID: "lint.stuck", Text: "Something is stuck to the end of the token.", Spec: "RFC 7515, Section 7.1", Remedy: "cut it off where the token ends; a strict reader refuses the whole", message: "something is stuck to its end: %s"},
	{ID: "lint.unjudged", Text: "The rules of the kind were not looked at, because no key could be made to sign the token anew.", Spec: "FIPS 140-3"},

	// The codes of the formats, which have a sentence elsewhere.
	{ID: "alg.unknown", message: "no algorithm of this name is known here", Spec: "RFC 8725, Section 3.1", Remedy: "names are case-sensitive; ES256K, Ed448 and ML-DSA are in the modules under ext"},
	{ID: "alg.missing", message: "the header names no algorithm", Spec: "RFC 7515, Section 4.1.1", Remedy: "the issuer writes the alg of its key"},
	{ID: "alg.none", Remedy: "sign it; there is no option that accepts it"},
	{ID: "alg.not_allowed", Remedy: "sign with an asymmetric algorithm: who verifies with a secret could sign with it"},
	{ID: "enc.unknown", message: "no content encryption of this name is known here", Spec: "RFC 7516, Section 4.1.2", Remedy: "names are case-sensitive"},
	{ID: "zip.unknown", message: "no compression but DEF is known", Spec: "RFC 7516, Section 4.1.3", Remedy: "do not compress"},
	{ID: "key.invalid", Spec: "RFC 7517, Section 4", Remedy: "write the key with the members that its type has"},
	{ID: "key.unsupported", Spec: "RFC 7517, Section 4.1", Remedy: "use a key of a type and a curve that is known"},
	{ID: "key.none", Remedy: "write the public key into the header"},
	{ID: "key.weak", Spec: "RFC 8725, Section 3.5", Remedy: "make a random secret of 32 bytes or more; jwk.NewSecretKeyShorterThanHash reads what is signed with such a one"},
	{ID: "key.private", Spec: "RFC 7517, Section 9.2", Remedy: "put the public key there, and replace the private one: everyone who saw the token knows it"},
	{ID: "sig.invalid", Remedy: "the token was changed or cut off, or signed with another key"},
	{ID: "token.malformed", Remedy: "a JWT has three parts of base64url with a dot between them"},
	{ID: "token.encoding", Remedy: "write base64url without padding, each part in its one form"},
	{ID: "json.duplicate", Remedy: "write each member once: two readers could take different values from it"},
	{ID: "json.type", Remedy: "write the member with the type that its specification gives it"},
	{ID: "claim.type", Remedy: "write the claim with the type that its specification gives it"},
	{ID: "claim.missing", Remedy: "the specification requires the claim"},
	{ID: "typ.mismatch", Remedy: "the issuer writes the typ of the kind"},
	{ID: "crit.unknown", Remedy: "only a verifier that understands the extension accepts it: jwt.Policy.Critical"},
	{ID: "iss.missing", Remedy: "the issuer writes who it is"},
	{ID: "iss.mismatch", Remedy: "iss is the client_id, or is left out"},
	{ID: "aud.missing", Remedy: "the issuer writes whom the token is for; without it, it is good everywhere"},
	{ID: "exp.missing", Remedy: "the issuer writes when it ends"},
	{ID: "exp.expired", Remedy: "it ends before it was made: look at the issuer's clock, and at exp, which is in seconds"},
	{ID: "exp.lifetime", Remedy: "let it end sooner"},
	{ID: "nbf.order", Remedy: "it ends before it begins: look at exp and nbf, which are in seconds"},
	{ID: "iat.missing", Remedy: "the issuer writes when it was made"},
	{ID: "iat.future", Remedy: "look at the clocks, and at iat, which is in seconds"},
	{ID: "iat.too_old", Remedy: "make it at the moment when it is sent"},
	{ID: "jti.missing", Remedy: "write a jti that is used once"},

	// The codes of the kinds.
	{ID: "kind.mismatch", Text: "A claim says that this is another kind of token.", Spec: "RFC 8725, Section 3.12", Remedy: "leave the claim out, or see whether this is the token that was meant"},
	{ID: "aud.not_sole", Text: "The token is for others too, or aud is an array where a string is due. Each of them could play it back to the others.", Spec: "RFC 10070, Section 4", Remedy: "name the one server, as a string and not in an array"},
	{ID: "aud.untrusted", Text: "The token is also for someone whom the client does not trust, and who can present it elsewhere.", Spec: "OpenID Connect Core 1.0, Section 3.1.3.7", Remedy: "name them in TrustedAudiences, or have them left out of aud"},
	{ID: "aud.ambiguous", Text: "The key is a client_secret, and of several audiences it is not said whose.", Spec: "OpenID Connect Core 1.0, Section 3.1.3.7", Remedy: "name one audience, or sign with an asymmetric key"},
	{ID: "azp.missing", Text: "The token does not say which client asked for it.", Spec: "OpenID Connect Core 1.0, Section 3.1.3.7", Remedy: "have azp written, or leave AuthorizedParties empty"},
	{ID: "azp.mismatch", Text: "The token was issued to another client.", Spec: "OpenID Connect Core 1.0, Section 3.1.3.7", Remedy: "see whose token it is; AuthorizedParties names who may have asked for it"},
	{ID: "nonce.missing", Text: "The nonce that the client sent, or that the server asks for, is not there; to a proof the server sends it as DPoP-Nonce.", Spec: "OpenID Connect Core 1.0, Section 3.1.3.7", Remedy: "the answer repeats the nonce of the request"},
	{ID: "nonce.mismatch", Text: "The nonce is not the one that is due, or no longer. A client tries a proof again with the DPoP-Nonce of the answer.", Spec: "OpenID Connect Core 1.0, Section 3.1.3.7", Remedy: "one nonce for one request, kept in the session that sent it"},
	{ID: "nonce.forbidden", Text: "A logout token has no nonce, so that it does not pass for an ID token.", Spec: "OpenID Connect Back-Channel Logout 1.0, Section 2.4", Remedy: "leave nonce out"},
	{ID: "at_hash.missing", Text: "The access token came through the browser, and nothing ties it to the ID token.", Spec: "OpenID Connect Core 1.0, Section 3.2.2.9", Remedy: "the provider writes at_hash"},
	{ID: "at_hash.mismatch", Text: "The ID token goes with another access token.", Spec: "OpenID Connect Core 1.0, Section 3.1.3.6", Remedy: "it is the left half of the hash that the signature's algorithm has, in base64url without padding"},
	{ID: "c_hash.missing", Text: "The code came through the browser, and nothing ties it to the ID token.", Spec: "OpenID Connect Core 1.0, Section 3.3.2.10", Remedy: "the provider writes c_hash"},
	{ID: "c_hash.mismatch", Text: "The ID token goes with another code.", Spec: "OpenID Connect Core 1.0, Section 3.3.2.10", Remedy: "it is the left half of the hash that the signature's algorithm has, in base64url without padding"},
	{ID: "s_hash.mismatch", Text: "The ID token goes with another state.", Spec: "FAPI 1.0 Part 2, Section 5.2.3.1", Remedy: "it is the left half of the hash that the signature's algorithm has, in base64url without padding"},
	{ID: "auth_time.missing", Text: "max_age was sent, and the token does not say when the user logged in.", Spec: "OpenID Connect Core 1.0, Section 3.1.3.7", Remedy: "the provider writes auth_time"},
	{ID: "auth_time.too_old", Text: "The user logged in longer ago than max_age allows.", Spec: "OpenID Connect Core 1.0, Section 3.1.3.7", Remedy: "send the user to log in again"},
	{ID: "acr.missing", Text: "The token does not say how well the user was authenticated, and that was asked for.", Spec: "OpenID Connect Core 1.0, Section 3.1.3.7", Remedy: "the provider writes acr"},
	{ID: "acr.mismatch", Text: "The user was authenticated in another way than the ones that were asked for.", Spec: "OpenID Connect Core 1.0, Section 3.1.3.7", Remedy: "send the user to log in again, with acr_values"},
	{ID: "sub.invalid", Text: "A subject has at most 255 ASCII characters.", Spec: "OpenID Connect Core 1.0, Section 2", Remedy: "the provider makes a shorter one"},
	{ID: "sub.mismatch", Text: "The subject is another one than is due: the client that is iss, the user of the session, the client of the attestation.", Spec: "RFC 7523, Section 3", Remedy: "in an assertion of a client, its client_id is iss and sub"},
	{ID: "sub.client", Text: "With the client as sub, a request object could be used as a client assertion.", Spec: "RFC 9101, Section 10.8", Remedy: "leave sub out"},
	{ID: "sub.forbidden", Text: "A security event token names its subject with sub_id, so that it does not pass for another token.", Spec: "Shared Signals Framework 1.0, Section 4.1.2", Remedy: "write the subject as sub_id"},
	{ID: "sub.untrusted", Text: "The issuer may not grant the access of this subject.", Spec: "RFC 7523, Section 3", Remedy: "grant.Policy.Subjects says who may speak for whom"},
	{ID: "cnf.invalid", Text: "The confirmation does not name a key that the presenter could prove to have.", Spec: "RFC 7800, Section 3", Remedy: "it names one public key, as jwk, jkt, x5t#S256 or kid"},
	{ID: "cnf.mismatch", Text: "The key of the proof is another one than that of the attestation.", Spec: "draft-ietf-oauth-attestation-based-client-auth-10, Section 7.3", Remedy: "prove with the key that is attested"},
	{ID: "client_id.mismatch", Text: "The token is of another client than the request.", Spec: "RFC 7521, Section 4.2", Remedy: "the client_id of the request and that of the token are one"},
	{ID: "iss.unexpected", Text: "Attestations and their proofs have no iss since draft -08.", Spec: "draft-ietf-oauth-attestation-based-client-auth-10, Document History", Remedy: "leave iss out"},
	{ID: "iss.ambiguous", Text: "The response names another issuer outside than inside.", Spec: "RFC 9207, Section 4", Remedy: "do not use it: this is how mix-up attacks look"},
	{ID: "exp.unexpected", Text: "Proofs of client attestations have no exp since draft -08.", Spec: "draft-ietf-oauth-attestation-based-client-auth-10, Document History", Remedy: "leave exp out: iat says how old a proof is"},
	{ID: "exp.forbidden", Text: "A security event token has no exp: what has happened does not expire.", Spec: "Shared Signals Framework 1.0, Section 4.1.7", Remedy: "leave exp out"},
	{ID: "nbf.missing", Text: "The token does not say from when on it is valid.", Spec: "RFC 7519, Section 4.1.5", Remedy: "write nbf"},
	{ID: "nbf.too_old", Text: "The request became valid longer ago than FAPI allows.", Spec: "FAPI 2.0 Message Signing, Section 5.3.1", Remedy: "make it when it is sent"},
	{ID: "jti.too_long", Text: "The identifier is longer than 256 bytes, and it would have to be remembered.", Spec: "RFC 9449, Section 11.1", Remedy: "a random identifier of 128 bits is enough"},
	{ID: "challenge.missing", Text: "The proof has no challenge, and the server asks for one.", Spec: "draft-ietf-oauth-attestation-based-client-auth-10, Section 7.2", Remedy: "get one of the challenge endpoint, or of the header of an answer"},
	{ID: "challenge.mismatch", Text: "The challenge is none of this server, or too old.", Spec: "draft-ietf-oauth-attestation-based-client-auth-10, Section 7.2", Remedy: "get a new one and send the request again"},
	{ID: "attestation.missing", Text: "The request has no client attestation.", Spec: "draft-ietf-oauth-attestation-based-client-auth-10, Section 7", Remedy: "send the header OAuth-Client-Attestation"},
	{ID: "attestation.multiple", Text: "The request has several client attestations.", Spec: "draft-ietf-oauth-attestation-based-client-auth-10, Section 7", Remedy: "send one"},
	{ID: "pop.missing", Text: "The request has no proof that the key of the attestation is there.", Spec: "draft-ietf-oauth-attestation-based-client-auth-10, Section 7", Remedy: "send the header OAuth-Client-Attestation-PoP"},
	{ID: "pop.multiple", Text: "The request has several proofs.", Spec: "draft-ietf-oauth-attestation-based-client-auth-10, Section 7", Remedy: "send one"},
	{ID: "dpop.missing", Text: "The request has no DPoP proof.", Spec: "RFC 9449, Section 4.3", Remedy: "send the header DPoP"},
	{ID: "dpop.multiple", Text: "The request has several DPoP proofs.", Spec: "RFC 9449, Section 4.3", Remedy: "send one"},
	{ID: "htm.mismatch", Text: "The proof is for another method. GET is not get.", Spec: "RFC 9449, Section 4.3", Remedy: "make a new proof for each request"},
	{ID: "htu.mismatch", Text: "The proof is for another URL. Behind a proxy, the server has to know the URL that the client sees.", Spec: "RFC 9449, Section 4.3", Remedy: "the URL is the one that the client sees, an http or https URL without query and fragment; behind a proxy, configure the public one"},
	{ID: "ath.missing", Text: "The proof does not say which access token it goes with.", Spec: "RFC 9449, Section 4.3", Remedy: "write the hash of the access token that is sent along"},
	{ID: "ath.mismatch", Text: "The proof goes with another access token.", Spec: "RFC 9449, Section 4.3", Remedy: "it is the SHA-256 hash of the access token as it is sent, in base64url without padding"},
	{ID: "ath.unexpected", Text: "The proof goes with an access token, and none came with it.", Spec: "RFC 9449, Section 7", Remedy: "send the access token, or leave ath out"},
	{ID: "jkt.mismatch", Text: "The proof is of another key than the access token is bound to: whoever sends it may have stolen the token.", Spec: "RFC 9449, Section 4.3", Remedy: "prove with the key that the token was issued for"},
	{ID: "request.nested", Text: "A request object may not have request or request_uri in it.", Spec: "RFC 9101, Section 4", Remedy: "leave both out"},
	{ID: "request.invalid", Text: "The request cannot be read, or breaks a rule that has no code of its own.", Spec: "RFC 9101, Section 5", Remedy: "look at what is beside the code"},
	{ID: "parameters.too_many", Text: "The request has more than 100 parameters.", Spec: "RFC 9101, Section 10.4.1", Remedy: "send fewer"},
	{ID: "response.invalid", Text: "The response of a token exchange cannot be read, or breaks a rule that has no code of its own.", Spec: "RFC 8693, Section 2.2.1", Remedy: "look at what is beside the code"},
	{ID: "delivery.invalid", Text: "The document in which security event tokens are delivered cannot be read.", Spec: "RFC 8936, Section 2", Remedy: "look at what is beside the code"},
	{ID: "response_type.mismatch", Text: "The response_type outside is another one than that in the request object.", Spec: "OpenID Connect Core 1.0, Section 6.1", Remedy: "write the same in both"},
	{ID: "hint.missing", Text: "The request does not say whom to authenticate.", Spec: "CIBA Core 1.0, Section 7.1", Remedy: "send one of login_hint, login_hint_token and id_token_hint"},
	{ID: "hint.multiple", Text: "The request says in several ways whom to authenticate.", Spec: "CIBA Core 1.0, Section 7.1", Remedy: "send one of login_hint, login_hint_token and id_token_hint"},
	{ID: "scope.no_openid", Text: "The request is one of OpenID Connect, and openid is not among its scopes.", Spec: "CIBA Core 1.0, Section 7.1", Remedy: "add openid"},
	{ID: "client_notification_token.invalid", Text: "The token for notifications is no bearer token of at most 1024 characters.", Spec: "CIBA Core 1.0, Section 7.1", Remedy: "make a random one of 128 bits or more"},
	{ID: "binding_message.invalid", Text: "The message is too long, or has characters that cannot be shown.", Spec: "CIBA Core 1.0, Section 7.1", Remedy: "a short text that both devices can show"},
	{ID: "state.missing", Text: "The response has no state, and one was sent.", Spec: "RFC 6749, Section 10.12", Remedy: "do not use it: it may answer another browser's request"},
	{ID: "state.mismatch", Text: "The response answers another request.", Spec: "RFC 6749, Section 10.12", Remedy: "do not use it: it may answer another browser's request"},
	{ID: "response.missing", Text: "The response has neither a code nor a token nor an error.", Spec: "JARM, Section 2.1", Remedy: "the server writes one of them"},
	{ID: "response.mixed", Text: "The response has an error and something that was granted.", Spec: "RFC 6749, Section 4.1.2.1", Remedy: "the server writes one of them"},
	{ID: "active.not_alone", Text: "Of a token that is not active, nothing else may be said.", Spec: "RFC 9701, Section 5", Remedy: "leave the other members out"},
	{ID: "content_type.mismatch", Text: "The response is of another media type than was asked for.", Spec: "RFC 9701, Section 5", Remedy: "look at the status and the body: this may be an error page"},
	{ID: "events.invalid", Text: "An event is not as its definition has it, or has no URI for a name.", Spec: "RFC 8417, Section 2.2", Remedy: "write the event as its definition has it, under the URI of its type"},
	{ID: "events.absent", Text: "The token has no event of the type that was asked for.", Spec: "RFC 8417, Section 2.2", Remedy: "look at which events it has"},
	{ID: "events.mismatch", Text: "The token has events, and none is the logout event.", Spec: "OpenID Connect Back-Channel Logout 1.0, Section 2.4", Remedy: "write the logout event, an empty object, under its URI"},
	{ID: "events.not_sole", Text: "The token has several events.", Spec: "Shared Signals Framework 1.0, Section 4.2.1", Remedy: "send one in each token"},
	{ID: "events.too_many", Text: "The token has more events than are read.", Spec: "RFC 8417, Section 2.2", Remedy: "send them in several tokens"},
	{ID: "sub_id.invalid", Text: "The subject identifier has not the members that its format has.", Spec: "RFC 9493, Section 3", Remedy: "write the members of its format and no others; a phone_number is in E.164, without spaces"},
	{ID: "sub_id.unknown_format", Text: "The subject identifier is of no format that is known.", Spec: "RFC 9493, Section 3", Remedy: "use a format of RFC 9493; for a phone number that is phone_number"},
	{ID: "qsh.invalid", Text: "The hash is none of a request.", Spec: "Atlassian Connect, Understanding JWT", Remedy: "it is the SHA-256 hash of the canonical request, in hexadecimal"},
	{ID: "qsh.mismatch", Text: "The token is for another request.", Spec: "Atlassian Connect, Understanding JWT", Remedy: "compare the canonical requests of both sides; the context hash is for tokens of pages"},
	{ID: "act.invalid", Text: "The claim act names no actor.", Spec: "RFC 8693, Section 4.1", Remedy: "it is an object with sub, and iss where that is needed"},
	{ID: "act.depth", Text: "The chain of actors is longer than the limit.", Spec: "RFC 8693, Section 4.1", Remedy: "shorten it"},
	{ID: "act.loop", Text: "An actor is in the chain twice.", Spec: "RFC 8693, Section 4.1", Remedy: "do not exchange a token for oneself"},
	{ID: "may_act.missing", Text: "The token does not say who may act for its subject.", Spec: "RFC 8693, Section 4.4", Remedy: "the issuer writes may_act"},
	{ID: "may_act.invalid", Text: "The claim may_act names nobody.", Spec: "RFC 8693, Section 4.4", Remedy: "it is an object with sub, or other claims that identify who may"},
	{ID: "may_act.mismatch", Text: "Another one than the actor may act for the subject.", Spec: "RFC 8693, Section 4.4", Remedy: "exchange with the token of who may"},
}
