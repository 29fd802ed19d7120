package attack

// Others lists what a single token cannot show, and where it is shown. Group M is [Uses].
func Others() []Other {
	return []Other{
		{"A6", "no_network_at_all", "the import policy: no jose package can reach net/http; both fronts count the visitors of a server"},
		{"A8", "file_store_stays_in_its_folder", "no store by kid is built yet"},
		{"A12", "secrets_leave_no_published_set", here},
		{"A12", "encryption_secrets_leave_no_published_set", here},
		{"A12", "sets_over_HTTP", "keyset: TestRemoteRefuses, TestRemoteOutage, TestRemoteRedirect, TestExposedKeys there"},
		{"A13", "no_registry", "jose/jwa: extensions are values, TestNew there; ext/es256k is one"},
		{"B2", "twin_signature_is_no_new_token", here},
		{"B10", "constant_time", here},
		{"B11", "nonce_never_repeats", here},
		{"B12", "ML-DSA", "ext/mldsa: TestKeys, TestSignatures there; interop runs the suite"},
		{"B13", "detached_payload_swapped", here},
		{"D3", "typed_claims_match_exactly", here},
		{"D13", "typed_integers_are_exact", here},
		{"D15", "prototype_members", "debugger is not built yet"},
		{"F15", "leeway_out_of_bounds", here},
		{"F17", "jti_used_twice", here},
		{"G3", "dictionary_secrets", "the rules of lint are not built yet"},
		{"G4", "repeated_bytes", "the rules of lint are not built yet"},
		{"H8", "who_signed_is_reported", here},
		{"H12", "claim_name_injection", here},
		{"J7", "lengths_tell_nothing_unless_asked", here},
		{"J9", "time", "interop/timing: a program that measures it; no test decides by time"},
		{"J17", "nothing_repeats", here},
		{"J19", "no_plaintext_beside_an_error", here},
		{"K15", "set_is_refused_cheaply", here},
		{"K17", "one_thumbprint_for_one_key", here},
		{"L6", "fetch_storms", "keyset: TestRemoteFlood, TestVerifierFlood, TestRemoteNegativeCache there"},
		{"L7", "slow_server", "keyset: TestRemoteHangs; internal/fetch: TestTimeouts"},
		{"L8", "size_of_a_body", "internal/fetch: TestAnswers"},
		{"L9", "scopes", "oauth: TestScopes; a regular expression of Go takes linear time, and none is of the sender's"},
	}
}

// here marks a check of TestAttack itself.
const here = "TestAttack"

// Here reports whether TestAttack has the check itself.
func (o Other) Here() bool { return o.Where == here }
