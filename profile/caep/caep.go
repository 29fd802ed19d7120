// Package caep has the events of the OpenID Continuous Access Evaluation Profile 1.0 (CAEP): what those who share users,
// sessions and devices tell each other between two logins, so that access can end when its reason ends.
//
// A transmitter hands them to secevent.Sign, and a receiver reads them of a verified token:
//
//	raw, err := secevent.Sign(ctx, key, registered, secevent.Claims{SubjectID: &session}, caep.SessionRevoked{})
//	e, err := secevent.Read[caep.SessionRevoked](&t.Claims)
//
// Every type has a [Context]. A value that is not as CAEP has it is refused by both, with the code events.invalid; lists
// that CAEP leaves open, to what both sides have agreed on, are open.
package caep

import (
	"encoding/json"
	"time"

	"github.com/jotsuite/jot/internal/profile"
	"github.com/jotsuite/jot/oauth/subjectid"
)

// base is where the URI of every type begins (CAEP 1.0, Section 3).
const base = "https://schemas.openid.net/secevent/caep/event-type/"

// Context are the members that every event may have (CAEP 1.0, Section 2).
type Context struct {
	Timestamp        time.Time         `json:"event_timestamp,omitzero,format:unix"` // when it happened
	InitiatingEntity string            `json:"initiating_entity,omitempty"`          // admin, user, policy or system
	ReasonAdmin      map[string]string `json:"reason_admin,omitempty"`               // for logs and administrators, by language tag
	ReasonUser       map[string]string `json:"reason_user,omitempty"`                // for the user, by language tag
}

func (c *Context) check() error {
	const spec = "CAEP 1.0, Section 2"
	return first(
		profile.OneOf(spec, "initiating_entity", c.InitiatingEntity, false, "admin", "user", "policy", "system"),
		profile.Languages(spec, "reason_admin", c.ReasonAdmin),
		profile.Languages(spec, "reason_user", c.ReasonUser),
	)
}

// first returns the first error that there is.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// SessionRevoked says that the session that the subject is, or all that it describes, has ended (CAEP 1.0, Section 3.1).
type SessionRevoked struct {
	Context
}

// EventType is the URI of the type.
func (SessionRevoked) EventType() string { return base + "session-revoked" }

// Check holds the event to its definition.
func (e SessionRevoked) Check(*subjectid.Identifier) error { return e.check() }

// TokenClaimsChange says that claims of the token that the subject is have other values now (CAEP 1.0, Section 3.2).
type TokenClaimsChange struct {
	Context
	Claims map[string]json.RawMessage `json:"claims"` // those that have changed: one or more
}

// EventType is the URI of the type.
func (TokenClaimsChange) EventType() string { return base + "token-claims-change" }

// Check holds the event to its definition.
func (e TokenClaimsChange) Check(*subjectid.Identifier) error {
	if len(e.Claims) == 0 {
		return profile.EventFault("CAEP 1.0, Section 3.2.1", "claims has one or more")
	}
	return e.check()
}

// CredentialChange says that the subject has another credential, or one less (CAEP 1.0, Section 3.3).
type CredentialChange struct {
	Context
	// CredentialType is password, pin, x509, fido2-platform, fido2-roaming, fido-u2f, verifiable-credential, phone-voice,
	// phone-sms, app, or another that both sides know.
	CredentialType string `json:"credential_type"`
	ChangeType     string `json:"change_type"` // create, revoke, update or delete
	FriendlyName   string `json:"friendly_name,omitempty"`
	X509Issuer     string `json:"x509_issuer,omitempty"`
	X509Serial     string `json:"x509_serial,omitempty"`
	FIDO2AAGUID    string `json:"fido2_aaguid,omitempty"`
}

// EventType is the URI of the type.
func (CredentialChange) EventType() string { return base + "credential-change" }

// Check holds the event to its definition.
func (e CredentialChange) Check(*subjectid.Identifier) error {
	const spec = "CAEP 1.0, Section 3.3.1"
	return first(
		profile.Some(spec, "credential_type", e.CredentialType),
		profile.OneOf(spec, "change_type", e.ChangeType, true, "create", "revoke", "update", "delete"),
		e.check(),
	)
}

// AssuranceLevelChange says that the subject is authenticated better or worse than before (CAEP 1.0, Section 3.4).
type AssuranceLevelChange struct {
	Context
	// Namespace is what the levels are of: RFC8176, RFC6711, ISO-IEC-29115, NIST-IAL, NIST-AAL, NIST-FAL, or another that
	// both sides know.
	Namespace       string `json:"namespace"`
	CurrentLevel    string `json:"current_level"`
	PreviousLevel   string `json:"previous_level,omitempty"`   // empty if the transmitter does not know
	ChangeDirection string `json:"change_direction,omitempty"` // increase or decrease
}

// EventType is the URI of the type.
func (AssuranceLevelChange) EventType() string { return base + "assurance-level-change" }

// Check holds the event to its definition.
func (e AssuranceLevelChange) Check(*subjectid.Identifier) error {
	const spec = "CAEP 1.0, Section 3.4.1"
	return first(
		profile.Some(spec, "namespace", e.Namespace),
		profile.Some(spec, "current_level", e.CurrentLevel),
		profile.OneOf(spec, "change_direction", e.ChangeDirection, false, "increase", "decrease"),
		e.check(),
	)
}

// DeviceComplianceChange says that the device that the subject is meets its organisation's rules now, or no more
// (CAEP 1.0, Section 3.5).
type DeviceComplianceChange struct {
	Context
	PreviousStatus string `json:"previous_status"` // compliant or not-compliant
	CurrentStatus  string `json:"current_status"`  // the same
}

// EventType is the URI of the type.
func (DeviceComplianceChange) EventType() string { return base + "device-compliance-change" }

// Check holds the event to its definition.
func (e DeviceComplianceChange) Check(*subjectid.Identifier) error {
	const spec = "CAEP 1.0, Section 3.5.1"
	return first(
		profile.OneOf(spec, "previous_status", e.PreviousStatus, true, "compliant", "not-compliant"),
		profile.OneOf(spec, "current_status", e.CurrentStatus, true, "compliant", "not-compliant"),
		e.check(),
	)
}

// SessionEstablished says that the transmitter has begun a session for the subject (CAEP 1.0, Section 3.6).
type SessionEstablished struct {
	Context
	UserAgent string   `json:"fp_ua,omitempty"`  // a fingerprint of the browser, which does not identify the session
	ACR       string   `json:"acr,omitempty"`    // as an ID token has it
	AMR       []string `json:"amr,omitempty"`    // as an ID token has it
	ExtID     string   `json:"ext_id,omitempty"` // of the broader session that this one is part of
}

// EventType is the URI of the type.
func (SessionEstablished) EventType() string { return base + "session-established" }

// Check holds the event to its definition.
func (e SessionEstablished) Check(*subjectid.Identifier) error { return e.check() }

// SessionPresented says that the transmitter has seen the session of the subject (CAEP 1.0, Section 3.7).
type SessionPresented struct {
	Context
	UserAgent string `json:"fp_ua,omitempty"`  // a fingerprint of the browser, which does not identify the session
	ExtID     string `json:"ext_id,omitempty"` // of the broader session that this one is part of
}

// EventType is the URI of the type.
func (SessionPresented) EventType() string { return base + "session-presented" }

// Check holds the event to its definition.
func (e SessionPresented) Check(*subjectid.Identifier) error { return e.check() }

// RiskLevelChange says that the subject is more, or less, of a risk than before (CAEP 1.0, Section 3.8).
type RiskLevelChange struct {
	Context
	Principal     string `json:"principal"`                // what the subject is: USER, DEVICE, SESSION, TENANT, ORG_UNIT, GROUP, or another
	CurrentLevel  string `json:"current_level"`            // LOW, MEDIUM or HIGH
	PreviousLevel string `json:"previous_level,omitempty"` // the same; empty if the transmitter does not know
	RiskReason    string `json:"risk_reason,omitempty"`    // recommended
}

// EventType is the URI of the type.
func (RiskLevelChange) EventType() string { return base + "risk-level-change" }

// Check holds the event to its definition.
func (e RiskLevelChange) Check(*subjectid.Identifier) error {
	const spec = "CAEP 1.0, Section 3.8.1"
	return first(
		profile.Some(spec, "principal", e.Principal),
		profile.OneOf(spec, "current_level", e.CurrentLevel, true, "LOW", "MEDIUM", "HIGH"),
		profile.OneOf(spec, "previous_level", e.PreviousLevel, false, "LOW", "MEDIUM", "HIGH"),
		e.check(),
	)
}
