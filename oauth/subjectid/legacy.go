package subjectid

import (
	"bytes"
	"encoding/json"
	"maps"
	"strings"
)

// Legacy returns an identifier as this package would have it if it was written as the drafts of RFC 9493 and of the
// Shared Signals Framework had them, and returns one that Check accepts as it is. It understands: the member subject_type
// for format, as Google sends it (RISC 1.0, Section 3.1); hyphens in the names of formats; the format phone with a
// member phone or phone_number; spaces, hyphens, dots and parentheses in a phone number; a complex identifier without
// a format. The error is that of Check.
func (id *Identifier) Legacy(agreed ...string) (Identifier, error) {
	out := id.legacy(top)
	return out, out.Check(agreed...)
}

func (id *Identifier) legacy(in place) Identifier {
	if id.Raw != nil {
		var out Identifier
		out.read(bytes.Clone(id.Raw), in, true)
		return out
	}
	out := *id
	out.Aliases, out.Parts = nil, maps.Clone(id.Parts)
	for i := range id.Aliases {
		out.Aliases = append(out.Aliases, id.Aliases[i].legacy(alias))
	}
	for name, p := range out.Parts {
		out.Parts[name] = p.legacy(part)
	}
	return out
}

// modernize changes the members of an identifier as drafts had it to those of today.
func modernize(members map[string]json.RawMessage) {
	rename := func(from, to string) {
		if raw, ok := members[from]; ok && members[to] == nil {
			members[to] = raw
			delete(members, from)
		}
	}
	rename("subject_type", "format")
	format := text(members["format"])
	switch {
	case members["format"] == nil:
		format = Complex
	case format == "phone":
		format = PhoneNumber
	case format == "iss-sub" || format == "jwt-id" || format == "saml-assertion-id":
		format = strings.ReplaceAll(format, "-", "_")
	}
	members["format"] = quote(format)
	if format == PhoneNumber {
		rename("phone", "phone_number")
		if number := text(members["phone_number"]); number != "" {
			members["phone_number"] = quote(strings.Map(func(r rune) rune {
				if strings.ContainsRune(" -.()", r) { // the visual separators of RFC 3966, Section 5.1.1
					return -1
				}
				return r
			}, number))
		}
	}
}
