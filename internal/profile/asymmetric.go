package profile

import (
	"slices"

	"github.com/jotsuite/jot/jose/jwa"
)

// Asymmetric returns the algorithms of a kind that is never made with a secret: those of a policy, or all asymmetric ones of
// package jwa where it has none.
func Asymmetric(algorithms []jwa.Algorithm) ([]jwa.Algorithm, error) {
	if slices.ContainsFunc(algorithms, jwa.Algorithm.Symmetric) {
		return nil, Incomplete("a symmetric algorithm has no place: whoever verifies with it could sign with it")
	}
	if len(algorithms) == 0 {
		return slices.DeleteFunc(jwa.Signatures(), jwa.Algorithm.Symmetric), nil
	}
	return slices.Clone(algorithms), nil
}
