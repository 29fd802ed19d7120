//go:build !race

package profiletest

const raceEnabled = false
