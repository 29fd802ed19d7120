//go:build race

package jwk_test

const raceEnabled = true
