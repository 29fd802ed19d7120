package lint

import (
	"errors"

	"github.com/jotsuite/jot/internal/fault"
	"github.com/jotsuite/jot/jose/jwt"
	"github.com/jotsuite/jot/profile/caep"
	"github.com/jotsuite/jot/profile/risc"
	"github.com/jotsuite/jot/profile/secevent"
)

// known are the events whose definitions are known.
var known = []func(*secevent.Claims) error{
	read[secevent.Verification], read[secevent.StreamUpdated],

	read[caep.SessionRevoked], read[caep.TokenClaimsChange], read[caep.CredentialChange], read[caep.AssuranceLevelChange],
	read[caep.DeviceComplianceChange], read[caep.SessionEstablished], read[caep.SessionPresented], read[caep.RiskLevelChange],

	read[risc.AccountCredentialChangeRequired], read[risc.AccountPurged], read[risc.AccountDisabled], read[risc.AccountEnabled],
	read[risc.IdentifierChanged], read[risc.IdentifierRecycled], read[risc.CredentialCompromise], read[risc.OptIn],
	read[risc.OptOutInitiated], read[risc.OptOutCancelled], read[risc.OptOutEffective], read[risc.RecoveryActivated],
	read[risc.RecoveryInformationChanged],
	read[risc.SessionsRevoked], //lint:ignore SA1019 it is still sent, and still has a definition
}

func read[T secevent.Event](c *secevent.Claims) error {
	_, err := secevent.Read[T](c)
	return err
}

// events holds the events of a token to their definitions, as whoever reads them would.
func events(c *secevent.Claims) (list []error) {
	for _, read := range known {
		if err := read(c); err != nil && !errors.Is(err, secevent.ErrNoEvent) {
			e := &jwt.ClaimError{Claim: "events", Code: fault.CodeOf(err), Want: "what the event's definition has: " + err.Error()}
			var spec interface{ Spec() string }
			if errors.As(err, &spec) {
				e.Spec = spec.Spec()
			}
			list = append(list, e)
		}
	}
	return list
}
