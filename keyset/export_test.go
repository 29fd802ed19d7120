package keyset

// InFlight reports whether a fetch is in flight, for tests whose clock stands still.
func InFlight(r *Remote) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.flight != nil
}
