//go:build !race

package strictjson_test

const (
	raceEnabled = false
	scale       = 1
)
