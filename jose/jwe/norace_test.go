//go:build !race

package jwe_test

const raceEnabled = false
