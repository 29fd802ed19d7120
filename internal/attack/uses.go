package attack

// A Use is an attack of group M, or a part of one: not on one token but on what is done with tokens.
type Use struct {
	ID, Name string
	// Tests show it: each a folder and a test in it and, behind a slash, what stands in its file for the one case.
	Tests []string
	// Open says what of it no library can show, and who will.
	Open string
}

// Title is the name of the attack.
func (u Use) Title() string { return title(u.ID, u.Name) }

const (
	server     = "what a server remembers of codes, tokens and devices is for the authorization server to show, in package server"
	resolver   = "nothing here fetches it; whoever does, in package server or profile/federation, fetches with internal/fetch as the others do"
	theProgram = "for the program to do, and said in SECURITY.md"
)

// Uses returns group M: each attack with the tests that show it refused, or with who will.
func Uses() []Use {
	return []Use{
		{"M1", "iss_of_the_response_missing_or_wrong", []string{"oauth TestCallback/M1_iss_of_another", "oauth TestCallback/M1_iss_missing", "oauth TestCallback/M1_iss_slash", "oauth TestCallback/M1_iss_of_another_in_an_error"}, ""},
		{"M1", "code_sent_to_another_server", []string{"client TestAttack/M1_mix_up"}, ""},
		{"M1", "metadata_of_another_issuer", []string{"client TestDiscover/M1_of_another", "oauth TestServerMetadataValidate/M1_of_another_issuer", "keyset TestIssuerMismatch"}, ""},
		{"M1", "signed_response_of_another_server", []string{"profile/jarm TestAttacks/M1_mix_up"}, ""},
		{"M1", "logout_and_userinfo_of_another_provider", []string{"profile/logout TestRules/M1, another provider", "profile/userinfo TestRules/M1, another provider"}, ""},

		{"M2", "client_is_told_the_audience", []string{"client TestAttack/M2_audience_injection", "client TestAttackAudienceInjection", "client TestAttack/M2_redirected_token_endpoint"}, ""},
		{"M2", "server_is_not_the_sole_audience", []string{"profile/clientauth TestAttack/M2_audience_injection", "profile/clientauth TestRules/aud.not_sole", "profile/grant TestRules/aud.not_sole", "server TestAttack_M2_made_for_another_server", "server Test_RFC7523_3_client_assertions"}, ""},
		{"M2", "proofs_and_requests_for_another_server", []string{"profile/attestation TestAttacks/M2_proof_for_another_server_too", "profile/jar TestAttacks/M2_request_to_another_server", "server TestAttack_M2_made_for_another_server"}, ""},

		{"M3", "substitution_matrix", []string{"profile TestMatrix", "profile TestTypes"}, ""},
		{"M3", "token_types_of_an_exchange", []string{"profile/exchange TestAttack/M3_token_types"}, ""},
		{"M3", "other_tokens_at_an_API", []string{"guard TestAttack/M3_M13_other_tokens", "guard TestAttackRefreshTokenAsAccessToken", "server TestAttack_M3_one_token_for_another"}, ""},
		{"M3", "kb_and_sd_jwt_and_federation_as_verifiers", []string{"profile TestMatrix/entity-statement"}, "their tokens are rows of the matrix; they become columns with their packages"},

		{"M4", "two_headers", []string{"profile/dpop TestAttack/M4_two_headers", "profile/dpop TestAttack/M4_two_proofs_in_one_header", "guard TestDPoP/two proofs", "server Test_RFC9449_token_requests/4.3 two proofs"}, ""},
		{"M4", "private_jwk_in_header", []string{"profile/dpop TestAttack/M4_private_jwk", "server TestAttack_M4_proofs_at_the_token_endpoint/private jwk"}, ""},
		{"M4", "symmetric_algorithm", []string{"profile/dpop TestAttack/M4_oct_jwk", "profile/dpop TestAttack/M4_HS256_with_the_public_key", "server TestAttack_M4_proofs_at_the_token_endpoint/symmetric algorithm"}, ""},
		{"M4", "htm_case", []string{"profile/dpop TestAttack/M4_htm_in_lower_case", "guard TestAttack/X-HTTP-Method-Override", "server TestAttack_M4_proofs_at_the_token_endpoint/htm in lower case"}, ""},
		{"M4", "htu_query_fragment_port_percent_userinfo_dots", []string{
			"profile/dpop TestAttack/M4_htu_with_a_query", "profile/dpop TestAttack/M4_htu_with_a_fragment", "profile/dpop TestAttack/M4_htu_with_another_port",
			"profile/dpop TestAttack/M4_htu_percent", "profile/dpop TestAttack/M4_htu_userinfo", "profile/dpop TestAttack/M4_htu_dots", "profile/dpop TestURL",
		}, ""},
		{"M4", "htu_made_up_by_headers", []string{"guard TestAttack/M4_htu_by_headers", "guard TestAttack/M4_htu_by_path", "guard TestDPoP/the host it came by", "server TestAttack_M4_proofs_at_the_token_endpoint/host of the sender's choice"}, "PublicURL behind a proxy is " + theProgram},
		{"M4", "ath_missing_or_of_another_token", []string{"profile/dpop TestAttack/M4_ath_missing", "profile/dpop TestAttack/M4_ath_of_another_token", "guard TestDPoP/another token's"}, ""},
		{"M4", "jti_replayed_by_key_and_jti", []string{"profile/dpop TestAttack/M4_jti_burnt_by_a_stranger", "profile/dpop TestAttack/M4_jti_of_the_twin", "profile/dpop TestReplay", "server TestAttack_M4_proofs_at_the_token_endpoint/jti burnt by a stranger"}, ""},
		{"M4", "jti_replayed_with_another_spelling_of_htu", []string{"profile/dpop TestAttack/As another spelling of the same proof it is no new one"}, ""},
		{"M4", "jti_replayed_at_another_replica", []string{"guard TestAttack/M4_replay_at_another_replica", "profile TestAttackReplay", "server TestAttack_M4_proofs_at_the_token_endpoint/replayed at another replica"}, "a store that all replicas share is " + theProgram},
		{"M4", "iat_window", []string{"profile/dpop TestAttack/M4_iat_long_ago", "profile/dpop TestAttack/M4_iat_far_ahead", "profile/dpop TestAttack/M4_exp_does_not_lengthen_the_iat", "server TestAttack_M4_proofs_at_the_token_endpoint/ahead"}, ""},
		{"M4", "nonce", []string{"profile/dpop TestAttack/M4_nonce_of_another", "profile/dpop TestNonces", "guard TestNonce", "profile/dpop TestTransportNonces", "profile/dpop TestTransportOrigins", "server TestAttack_M4_proofs_at_the_token_endpoint/nonce of another server"}, ""},
		{"M4", "jkt_mismatch", []string{"profile/dpop TestAttack/M4_key_of_the_thief", "guard TestDPoP/another key", "server TestAttack_M4_M11_bindings_are_kept/key swapped at refresh"}, ""},
		{"M4", "bound_token_as_Bearer", []string{"guard TestAttack/M4_DPoP_token_as_Bearer", "guard TestBearer/bound to a key", "client TestExchangeResponses/not bound", "server TestAttack_M4_M11_bindings_are_kept/downgrade to bearer"}, ""},
		{"M4", "jti_of_any_length", []string{"profile/dpop TestAttack/M4_jti_too_long", "profile/attestation TestRules/jti.too_long", "profile/ciba TestRules/jti.too_long"}, ""},

		{"M5", "PKCE_downgrade_and_plain", []string{"oauth TestPKCE/M5_downgrade_no_challenge", "oauth TestPKCE/M5_plain", "oauth TestPKCE/M5_challenge_as_verifier"}, ""},
		{"M5", "code_and_PKCE_reuse", nil, server},
		{"M5", "redirect_uri", nil, "comparing it exactly with what a client has registered: " + server},
		{"M5", "pushed_request_reused_or_of_another_client", []string{"profile/jar TestAttacks/M5_pushed_twice_or_by_another_client", "profile/jar TestPushedCache/used twice", "profile/jar TestPushed"}, ""},
		{"M5", "request_object_alg_none", []string{"profile/jar TestAttacks/M5_alg_none"}, ""},
		{"M5", "request_object_sub_is_client_id", []string{"profile/jar TestAttacks/M5_sub_is_client_id"}, ""},
		{"M5", "merging_of_parameters", []string{"profile/jar TestAttacks/M5_parameters_in_the_query", "profile/ciba TestFromForm"}, ""},
		{"M5", "nested_requests_and_limits", []string{"profile/jar TestAttacks/M5_recursion", "profile/jar TestByReference/too large", "profile/jar TestByReference/a name that is too long", "profile/jar TestByReference/slow", "profile/jar TestByReference/not registered"}, ""},

		{"M6", "addresses", []string{"internal/fetch TestGuardAddresses", "internal/fetch TestGuardedURLs", "internal/fetch TestGuardRebinding", "internal/fetch TestGuardRedirect", "internal/fetch TestGuardBehindProxy"}, ""},
		{"M6", "jwks_uri", []string{"keyset TestIssuerGuard", "server TestAttack_M6_keys_of_clients", "server TestAttack_M6_registration"}, ""},
		{"M6", "request_uri", []string{"profile/jar TestAttacks/M6_SSRF"}, ""},
		{"M6", "jku_and_x5u", []string{"keyset TestJKU", "keyset TestX5U", "keyset TestURLsOfHeaders"}, ""},
		{"M6", "metadata_of_a_stranger", []string{"client TestDiscoverAllowed/Stranger: true", "client TestDiscoverResource/M6_another_host"}, ""},
		{"M6", "logo_uri_sector_identifier_uri_client_id_documents_federation", nil, resolver},

		{"M7", "hashes", []string{"profile/idtoken TestAttack/M7_", "profile/idtoken TestAttack/M7_hash_of_the_key", "profile/idtoken TestHash"}, ""},
		{"M7", "nonce", []string{"profile/idtoken TestAttack/M7_nonce"}, ""},
		{"M7", "azp", []string{"profile/idtoken TestAttack/M7_azp"}, ""},
		{"M7", "sub_of_userinfo", []string{"profile/userinfo TestRules/M7, another user", "profile/userinfo TestRules/M7, in other letters", "profile/idtoken TestAttack/M7_sub"}, ""},

		{"M8", "short_client_secret", []string{"profile/clientauth TestAttack/M8_short_secret", "server TestAttack_M8_client_authentication"}, ""},
		{"M8", "jti_reused", []string{"profile/clientauth TestAttack/M8_jti", "profile/clientauth TestReplay", "profile TestAttackReplay", "server Test_RFC7523_3_client_assertions/M8 used twice"}, ""},
		{"M8", "HS_and_RS_switched", []string{"profile/clientauth TestAttack/M8_public_key_as_secret", "profile/clientauth TestAttack/M8_another_method", "server TestAttack_M8_client_authentication"}, ""},
		{"M8", "two_methods_at_once", []string{"server TestAttack_M8_two_methods_at_once"}, ""},
		{"M8", "which_clients_exist", []string{"server TestAttack_M8_nobody_is_told_which_clients_exist", "server Test_RFC6749_5_2_invalid_client"}, ""},
		{"M8", "assertion_of_another_kind", []string{"profile/attestation TestAttacks/M8_attests_itself", "profile/ciba TestAttacks/M8_client_assertion"}, ""},

		{"M9", "with_nonce", []string{"profile/logout TestRules/M9, with a nonce", "profile/logout TestRules/M9, with an empty nonce"}, ""},
		{"M9", "without_events", []string{"profile/logout TestRules/M9, without events", "profile/logout TestRules/M9, with other events"}, ""},

		{"M10", "refresh_token_reused", []string{"client TestRefreshRotation", "server Test_RFC6749_6_refresh/M10 reuse ends the family", "server TestRaces", "cmd/jot/stores TestReplicas"}, ""},
		{"M10", "scope_widened", []string{"profile/exchange TestAttack/M13_broadening", "server Test_RFC6749_6_refresh/M10 scope is not widened"}, ""},
		{"M10", "token_of_another_client", []string{"server TestAttack_M10_tokens_of_another_client", "server Test_RFC6749_6_refresh/another client"}, ""},

		{"M11", "certificate_of_another", []string{"guard TestAttack/M11_certificate_of_another", "guard TestCertificate", "client TestMTLSAlias", "server TestAttack_M4_M11_bindings_are_kept/certificate swapped under the same proof", "server Test_RFC8705/M11"}, "which proxies may name a certificate is " + theProgram},

		{"M12", "depth", []string{"profile/exchange TestAttack/M12_depth", "server Test_RFC8693/M12 chains of actors"}, ""},
		{"M12", "loops", []string{"profile/exchange TestAttack/M12_loops", "server Test_RFC8693/M12 chains of actors"}, ""},
		{"M12", "actors_lost", []string{"profile/exchange TestAttack/M12_laundering"}, ""},

		{"M13", "more_than_was_granted", []string{"profile/exchange TestAttack/M13_broadening", "oauth TestResources", "oauth TestCovered", "server TestAttack_M13_nothing_grows", "server Test_RFC8693/M13 2.2.2"}, ""},
		{"M13", "token_for_another_API", []string{"guard TestAttack/M3_M13_other_tokens", "guard TestBearer/another audience"}, ""},
		{"M13", "token_sent_to_another_origin", []string{"client TestOrigins", "client TestTransport"}, ""},

		{"M14", "device_code_brute_force", nil, server},

		{"M15", "CSRF_without_state", []string{"oauth TestCallback/M15_no_state", "oauth TestCallback/M15_another_state", "oauth TestCallback/M15_state_though_none_was_sent", "client TestAttack/M15, another's"}, ""},
		{"M15", "response_of_another_browser", []string{"profile/jarm TestAttacks/M15_response_of_another_browser"}, "that state, nonce and verifier are kept with the browser's session is " + theProgram},
	}
}
