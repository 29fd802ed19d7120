package keyset

// RaceEnabled is for the tests outside.
const RaceEnabled = raceEnabled

// InFlight reports whether a fetch is in flight, for tests whose clock stands still.
func InFlight(r *Remote) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.flight != nil
}
