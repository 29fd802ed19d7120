//go:build race

package strictjson_test

// The race detector counts as allocations what is none, and takes ten times as long.
const (
	raceEnabled = true
	scale       = 10
)
