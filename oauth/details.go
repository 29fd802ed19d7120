package oauth

import (
	"encoding/json"
	"slices"

	"github.com/jotsuite/jot/internal/strictjson"
)

const (
	maxDetails      = 64
	maxDetailsBytes = 32 << 10
)

// AuthorizationDetail is one thing that a client may do, or asks to (RFC 9396, Section 2). What its members mean, and which
// it may have, is for its type to say: who grants or enforces one refuses a type that it does not know, and members
// that the type does not have.
type AuthorizationDetail struct {
	Type string `json:"type"`
	// The common members of RFC 9396, Section 2.2. An empty list that was written is not nil.
	Locations  []string `json:"locations,omitzero"`
	Actions    []string `json:"actions,omitzero"`
	DataTypes  []string `json:"datatypes,omitzero"`
	Identifier string   `json:"identifier,omitempty"`
	Privileges []string `json:"privileges,omitzero"`
	// Extra are the members of the type's own, as they were written.
	Extra map[string]json.RawMessage `json:",inline"`
}

var (
	detailDecoder, _ = strictjson.NewDecoder[wireDetail]()
	detailEncoder, _ = strictjson.NewEncoder[wireDetail]()
)

// wireDetail is an AuthorizationDetail without its methods.
type wireDetail AuthorizationDetail

// UnmarshalJSON reads a detail, and refuses one without a type (RFC 9396, Section 2). The error is an *Error with
// [InvalidAuthorizationDetails].
func (d *AuthorizationDetail) UnmarshalJSON(data []byte) error {
	var w wireDetail
	// The members share what they are read from, which is the caller's.
	if err := detailDecoder.Decode(slices.Clone(data), &w, strictjson.Limits{Bytes: maxDetailsBytes}); err != nil {
		return &Error{Code: InvalidAuthorizationDetails, Description: "a detail cannot be read", Cause: err}
	}
	if w.Type == "" {
		return refuse(InvalidAuthorizationDetails, "a detail has no type")
	}
	*d = AuthorizationDetail(w)
	return nil
}

// MarshalJSON writes a detail. It refuses one without a type, and a member of Extra that is named as one of the common ones.
func (d AuthorizationDetail) MarshalJSON() ([]byte, error) {
	if d.Type == "" {
		return nil, refuse(InvalidAuthorizationDetails, "a detail has no type")
	}
	w := wireDetail(d)
	return detailEncoder.Append(nil, &w)
}

// ParseAuthorizationDetails reads an authorization_details parameter: an array of at most 64 details in 32 KiB, and of one
// at least. The error is an *Error with [InvalidAuthorizationDetails] (RFC 9396, Section 5).
func ParseAuthorizationDetails(s string) ([]AuthorizationDetail, error) {
	var all []AuthorizationDetail
	if err := strictjson.Unmarshal([]byte(s), &all, strictjson.Limits{Bytes: maxDetailsBytes}); err != nil {
		return nil, &Error{Code: InvalidAuthorizationDetails, Description: "authorization_details cannot be read", Cause: err}
	}
	if len(all) == 0 || len(all) > maxDetails {
		return nil, refuse(InvalidAuthorizationDetails, "authorization_details has to have 1 to %d details", maxDetails)
	}
	return all, nil
}

// Covered reports whether each of the requested details is covered by one of those granted. What covers what is for the
// type to say (RFC 9396, Section 6.1), so by decides for two details of one type; nil is [CoveredByCommon].
func Covered(requested, granted []AuthorizationDetail, by func(requested, granted *AuthorizationDetail) bool) bool {
	if by == nil {
		by = CoveredByCommon
	}
	for i := range requested {
		if !slices.ContainsFunc(granted, func(g AuthorizationDetail) bool {
			return g.Type == requested[i].Type && by(&requested[i], &g)
		}) {
			return false
		}
	}
	return true
}

// CoveredByCommon reports whether the lists of the common members that were requested are part of those granted, and
// all else is equal. A list that is absent is no list: it neither covers nor is covered by one. It suits types that say no more
// than "these of those", and is too strict for others: of an amount of money, less is covered by more.
func CoveredByCommon(requested, granted *AuthorizationDetail) bool {
	for _, lists := range [][2][]string{
		{requested.Locations, granted.Locations},
		{requested.Actions, granted.Actions},
		{requested.DataTypes, granted.DataTypes},
		{requested.Privileges, granted.Privileges},
	} {
		if (lists[0] == nil) != (lists[1] == nil) || slices.ContainsFunc(lists[0], func(v string) bool { return !slices.Contains(lists[1], v) }) {
			return false
		}
	}
	if requested.Type != granted.Type || requested.Identifier != granted.Identifier || len(requested.Extra) != len(granted.Extra) {
		return false
	}
	for name, value := range requested.Extra {
		if other, ok := granted.Extra[name]; !ok || string(other) != string(value) {
			return false
		}
	}
	return true
}
