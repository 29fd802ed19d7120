// Package risc has the events of the OpenID RISC Profile 1.0 (Risk Incident Sharing and Coordination): what providers tell
// each other of accounts, so that an attack on one of them does not go on at the next.
//
// A transmitter hands them to secevent.Sign, and a receiver reads them of a verified token:
//
//	raw, err := secevent.Sign(ctx, key, registered, secevent.Claims{SubjectID: &account}, risc.AccountDisabled{Reason: "hijacking"})
//	e, err := secevent.Read[risc.AccountDisabled](&t.Claims)
//
// A value that is not as RISC has it is refused by both, with the code events.invalid.
package risc

import (
	"time"

	"github.com/jotsuite/jot/internal/profile"
	"github.com/jotsuite/jot/internal/strictjson"
	"github.com/jotsuite/jot/oauth/subjectid"
)

// base is where the URI of every type begins (RISC 1.0, Section 2).
const base = "https://schemas.openid.net/secevent/risc/event-type/"

// plain is the part of those types of which nothing more is said than that they have happened to the subject.
type plain struct{}

// Check holds the event to its definition.
func (plain) Check(*subjectid.Identifier) error { return nil }

// identifier is the part of those types that are about an identifier itself.
type identifier struct{}

// Check holds the event to its definition: the subject is an email address or a phone number.
func (identifier) Check(subject *subjectid.Identifier) error {
	if subject == nil || subject.Format != subjectid.Email && subject.Format != subjectid.PhoneNumber {
		return profile.EventFault("RISC 1.0, Sections 2.5 and 2.6", "the subject has the format email or phone_number")
	}
	return nil
}

// AccountCredentialChangeRequired says that the user had to change a credential (RISC 1.0, Section 2.1).
type AccountCredentialChangeRequired struct{ plain }

// EventType is the URI of the type.
func (AccountCredentialChangeRequired) EventType() string {
	return base + "account-credential-change-required"
}

// AccountPurged says that the account is gone for good (RISC 1.0, Section 2.2).
type AccountPurged struct{ plain }

// EventType is the URI of the type.
func (AccountPurged) EventType() string { return base + "account-purged" }

// AccountDisabled says that the account cannot be used until it is enabled (RISC 1.0, Section 2.3).
type AccountDisabled struct {
	plain
	Reason string `json:"reason,omitempty"` // hijacking or bulk-account; others are kept, since the account is disabled whatever the reason
}

// EventType is the URI of the type.
func (AccountDisabled) EventType() string { return base + "account-disabled" }

// AccountEnabled says that the account can be used again (RISC 1.0, Section 2.4).
type AccountEnabled struct{ plain }

// EventType is the URI of the type.
func (AccountEnabled) EventType() string { return base + "account-enabled" }

// IdentifierChanged says that an email address or a phone number has another value; the subject is the old one (RISC
// 1.0, Section 2.5). Only who gives out the identifier sends it.
type IdentifierChanged struct {
	identifier
	NewValue string `json:"new-value,omitempty"`
}

// EventType is the URI of the type.
func (IdentifierChanged) EventType() string { return base + "identifier-changed" }

// IdentifierRecycled says that an email address or a phone number is someone else's now (RISC 1.0, Section 2.6).
type IdentifierRecycled struct{ identifier }

// EventType is the URI of the type.
func (IdentifierRecycled) EventType() string { return base + "identifier-recycled" }

// CredentialCompromise says that a credential of the subject was found with others (RISC 1.0, Section 2.7).
type CredentialCompromise struct {
	CredentialType string    `json:"credential_type"`                      // as caep.CredentialChange has it
	Timestamp      time.Time `json:"event_timestamp,omitzero,format:unix"` // when the transmitter found out
	ReasonAdmin    Reason    `json:"reason_admin,omitempty"`               // for administrators
	ReasonUser     Reason    `json:"reason_user,omitempty"`                // for the user
}

// EventType is the URI of the type.
func (CredentialCompromise) EventType() string { return base + "credential-compromise" }

// Check holds the event to its definition.
func (e CredentialCompromise) Check(*subjectid.Identifier) error {
	const spec = "RISC 1.0, Section 2.7"
	if err := profile.Some(spec, "credential_type", e.CredentialType); err != nil {
		return err
	}
	if err := profile.Languages(spec, "reason_admin", e.ReasonAdmin); err != nil {
		return err
	}
	return profile.Languages(spec, "reason_user", e.ReasonUser)
}

// Reason is a text by language tag, as the events of CAEP have it. RISC does not say which JSON it is, so a string is read too:
// as the text of und, the tag of a language that is not known.
type Reason map[string]string

// UnmarshalJSON reads an object or a string.
func (r *Reason) UnmarshalJSON(data []byte) error {
	data = append([]byte(nil), data...)
	if data[0] != '"' {
		return strictjson.Unmarshal(data, (*map[string]string)(r), strictjson.Limits{})
	}
	var s string
	err := strictjson.Unmarshal(data, &s, strictjson.Limits{})
	*r = Reason{"und": s}
	return err
}

// OptIn says that events of the account are exchanged (RISC 1.0, Section 2.8.1).
type OptIn struct{ plain }

// EventType is the URI of the type.
func (OptIn) EventType() string { return base + "opt-in" }

// OptOutInitiated says that the user wants no events of the account to be exchanged. They still are for a while, so that
// no hijacker can begin with this (RISC 1.0, Section 2.8.2).
type OptOutInitiated struct{ plain }

// EventType is the URI of the type.
func (OptOutInitiated) EventType() string { return base + "opt-out-initiated" }

// OptOutCancelled says that the user has changed their mind (RISC 1.0, Section 2.8.3).
type OptOutCancelled struct{ plain }

// EventType is the URI of the type.
func (OptOutCancelled) EventType() string { return base + "opt-out-cancelled" }

// OptOutEffective says that events of the account are not exchanged any more (RISC 1.0, Section 2.8.4).
type OptOutEffective struct{ plain }

// EventType is the URI of the type.
func (OptOutEffective) EventType() string { return base + "opt-out-effective" }

// RecoveryActivated says that someone has begun to recover the account (RISC 1.0, Section 2.9).
type RecoveryActivated struct{ plain }

// EventType is the URI of the type.
func (RecoveryActivated) EventType() string { return base + "recovery-activated" }

// RecoveryInformationChanged says that the means to recover the account are others (RISC 1.0, Section 2.10).
type RecoveryInformationChanged struct{ plain }

// EventType is the URI of the type.
func (RecoveryInformationChanged) EventType() string { return base + "recovery-information-changed" }

// SessionsRevoked says that all sessions of the account have ended (RISC 1.0, Section 2.11).
//
// Deprecated: by RISC itself; new transmitters send caep.SessionRevoked.
type SessionsRevoked struct{ plain }

// EventType is the URI of the type.
func (SessionsRevoked) EventType() string { return base + "sessions-revoked" }
