package main

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/argon2"
)

// argon is what a hash by Argon2id is made with.
type argon struct {
	memory uint32 // KiB
	time   uint32
	lanes  uint8
}

// recommended is the second recommended option of RFC 9106, Section 4.
var recommended = argon{memory: 64 << 10, time: 3, lanes: 4}

// What a hash may ask for at most, whoever has made it.
const (
	maxArgonMemory = 256 << 10 // KiB
	maxArgonTime   = 10
	maxArgonLanes  = 16
	argonSalt      = 16
	argonTag       = 32
)

func (p argon) sum(secret string, salt []byte, size int) []byte {
	return argon2.IDKey([]byte(secret), salt, p.time, p.memory, p.lanes, uint32(size))
}

// hash makes what is kept of a secret, in the PHC string format.
func (p argon) hash(secret string) string {
	salt := make([]byte, argonSalt)
	_, _ = rand.Read(salt) // which never fails
	enc := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("%s$m=%d,t=%d,p=%d$%s$%s", argonPrefix, p.memory, p.time, p.lanes, enc(salt), enc(p.sum(secret, salt, argonTag)))
}

const argonPrefix = "$argon2id$v=19"

var errArgon = errors.New("the hash of a chosen secret is none of Argon2id, or asks for more than 256 MiB, 10 passes or 16 lanes")

// parseArgon reads a hash in the PHC string format.
func parseArgon(hash string) (p argon, salt, tag []byte, err error) {
	rest, ok := strings.CutPrefix(hash, argonPrefix+"$")
	parts := strings.Split(rest, "$")
	if !ok || len(parts) != 3 {
		return p, nil, nil, errArgon
	}
	const format = "m=%d,t=%d,p=%d"
	_, _ = fmt.Sscanf(parts[0], format, &p.memory, &p.time, &p.lanes)
	if fmt.Sprintf(format, p.memory, p.time, p.lanes) != parts[0] {
		return p, nil, nil, errArgon
	}
	salt, err = base64.RawStdEncoding.Strict().DecodeString(parts[1])
	if err == nil {
		tag, err = base64.RawStdEncoding.Strict().DecodeString(parts[2])
	}
	switch { // RFC 9106, Section 3.1
	case err != nil, len(salt) < 8, len(salt) > 64, len(tag) < 16, len(tag) > 64,
		p.time < 1, p.time > maxArgonTime, p.lanes < 1, p.lanes > maxArgonLanes, p.memory < 8*uint32(p.lanes), p.memory > maxArgonMemory:
		return p, nil, nil, errArgon
	}
	return p, salt, tag, nil
}

// chosenSecrets verifies the secrets that people have chosen. So that clients that log in do not use up the memory, few are verified at
// a time: as many as have a processor for each lane, at most 4, which is 256 MiB. Others wait; those that would wait for long are told to
// come again. A secret that was good is so for some minutes without being computed again, for which its MAC under a key of this process is
// remembered: who knows it is not kept waiting by those who guess.
type chosenSecrets struct {
	turn    chan struct{}
	waiting chan struct{}
	patient time.Duration // of who waits for a turn
	key     []byte

	mu   sync.Mutex
	good map[[sha256.Size]byte]time.Time
}

const (
	maxWaiting   = 64
	maxWait      = 5 * time.Second
	rememberGood = 5 * time.Minute
	maxGood      = 1000
)

func newChosenSecrets() *chosenSecrets {
	c := &chosenSecrets{
		turn:    make(chan struct{}, min(max(runtime.GOMAXPROCS(0)/int(recommended.lanes), 1), 4)),
		waiting: make(chan struct{}, maxWaiting), patient: maxWait, key: make([]byte, sha256.Size), good: map[[sha256.Size]byte]time.Time{},
	}
	_, _ = rand.Read(c.key) // which never fails
	return c
}

var errBusy = errors.New("too many chosen secrets are to be verified at a time")

// verify is Options.VerifySecret. What it is asked without a hash takes as long as with one, and is never good.
func (c *chosenSecrets) verify(ctx context.Context, hash, secret string) (bool, error) {
	p, salt, tag := recommended, make([]byte, argonSalt), make([]byte, argonTag)
	var known [sha256.Size]byte
	if hash != "" {
		var err error
		if p, salt, tag, err = parseArgon(hash); err != nil {
			return false, err
		}
		mac := hmac.New(sha256.New, c.key)
		mac.Write([]byte(hash + "\x00" + secret)) // a hash has no NUL
		if known = [sha256.Size]byte(mac.Sum(nil)); c.remembered(known) {
			return true, nil
		}
	}
	select {
	case c.waiting <- struct{}{}:
		defer func() { <-c.waiting }()
	default:
		return false, errBusy
	}
	late := time.NewTimer(c.patient)
	defer late.Stop()
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return false, ctx.Err()
	case <-late.C:
		return false, errBusy
	}
	ok := subtle.ConstantTimeCompare(p.sum(secret, salt, len(tag)), tag) == 1 && hash != ""
	if ok {
		c.remember(known)
	}
	return ok, nil
}

func (c *chosenSecrets) remembered(known [sha256.Size]byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Before(c.good[known])
}

func (c *chosenSecrets) remember(known [sha256.Size]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.good) >= maxGood {
		clear(c.good) // each is computed once more
	}
	c.good[known] = time.Now().Add(rememberGood)
}

// The length of a secret that people choose, in characters.
const (
	minChosen = 8
	maxChosen = 1024 // which the server reads at most
)

// chosen reads a secret that people have chosen from @FILE or -, and returns its hash.
func (in *input) chosen(from string) (string, error) {
	if from != "-" && !strings.HasPrefix(from, "@") {
		return "", fail(exitUsage, "write @FILE, or - for stdin: arguments are seen by other users", "a secret is not given in an argument")
	}
	data, err := in.file(from, theSecret)
	if err != nil {
		return "", err
	}
	secret := string(withoutNewline(data))
	switch {
	case len(secret) < minChosen:
		return "", fail(exitNoKey, "leave the option out, and a random one is made", "the secret has under %d characters [key.weak]", minChosen)
	case len(secret) > maxChosen:
		return "", fail(exitNoKey, "", "the secret has over %d characters [key.limit]", maxChosen)
	case strings.ContainsFunc(secret, func(r rune) bool { return r < ' ' || r > '~' }): // RFC 6749, Appendix A.2
		return "", fail(exitNoKey, "", "the secret has characters other than the printable ones of ASCII")
	case len(secret) < short:
		in.term.warn("the secret has fewer than %d characters: who gets the database can try secrets without end", short)
	}
	return recommended.hash(secret), nil
}
