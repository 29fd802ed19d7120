package main

import (
	"errors"
	"os"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// The exit codes that scripts rely on.
const (
	exitOK         = 0 // verified, or done
	exitRefused    = 1 // the token is refused
	exitUsage      = 2
	exitUnreadable = 3 // the token or a key cannot be read
	exitNoKey      = 4 // no key fits, or the key itself is refused
	exitFile       = 5 // a file or a URL is not to be had
	exitFindings   = 6 // lint has found an error or a warning
)

// cli is the whole command line. Help, completions and the manual come from it.
type cli struct {
	Inspect    inspectCmd    `cmd:"" help:"Look inside every token of a text, trusting none."`
	Verify     verifyCmd     `cmd:"" help:"Check one token, and print its payload only when every check holds."`
	Lint       lintCmd       `cmd:"" help:"Say which rules of its kind each token of a text breaks, and what to do."`
	Sign       signCmd       `cmd:"" help:"Make a signed token from claims."`
	Encrypt    encryptCmd    `cmd:"" help:"Encrypt anything to a key or with a password."`
	Decrypt    decryptCmd    `cmd:"" help:"Decrypt a token, and write what was inside as it is."`
	Key        keyCmd        `cmd:"" help:"Make, convert and look at keys."`
	JWKS       jwksCmd       `cmd:"" name:"jwks" help:"Fetch, merge, serve and rotate sets of public keys."`
	DPoP       dpopCmd       `cmd:"" name:"dpop" help:"Make proofs that the sender of a request has the key of its access token."`
	Serve      serveCmd      `cmd:"" help:"Run an authorization server: it issues, exchanges, introspects and revokes access tokens."`
	Client     clientCmd     `cmd:"" help:"Administer the clients of jot serve."`
	Issuer     issuerCmd     `cmd:"" help:"Administer the issuers that jot serve trusts."`
	Grant      grantCmd      `cmd:"" help:"Look at what refresh tokens of jot serve stand for, and revoke."`
	Store      storeCmd      `cmd:"" help:"Look after the database of jot serve."`
	Explain    explainCmd    `cmd:"" help:"Say what a claim, a header, an algorithm, an error or an exit code means."`
	Completion completionCmd `cmd:"" help:"Print the completions for a shell."`
	Man        manCmd        `cmd:"" help:"Print the manual page."`
	Version    versionCmd    `cmd:"" help:"Print the version."`
}

const description = "jot looks into JSON Web Tokens, verifies, signs, encrypts and decrypts them, and makes the keys for it. It runs an authorization server, too, and administers that. The documents are at https://github.com/jotsuite/jot."

// app is what a command has to work with.
type app struct {
	*terminal
	in    *input
	model *kong.Application
	clock func() time.Time
}

// now is the time of --now, or the clock's.
func (a *app) now(flag string) (time.Time, error) {
	if flag == "" {
		return a.clock(), nil
	}
	t, err := time.Parse(time.RFC3339, flag)
	if err != nil {
		return t, fail(exitUsage, "write it as 2026-09-30T12:00:00Z", "--now %s is not an RFC 3339 time", quoted(flag))
	}
	return t, nil
}

func runProcess() int { return run(os.Args[1:], processTerminal(), time.Now) }

// stop carries the exit code of --help through kong, which expects its exit
// function not to return.
type stop int

func newParser(t *terminal) *kong.Kong {
	return kong.Must(&cli{},
		kong.Name("jot"),
		kong.Description(description),
		kong.Writers(t.stdout, t.stderr),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.Exit(func(code int) { panic(stop(code)) }),
	)
}

func run(args []string, t *terminal, clock func() time.Time) (code int) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case stop:
			code = int(r)
		default:
			panic(r)
		}
	}()
	parser := newParser(t)
	if len(args) == 0 {
		args = []string{"--help"}
	}
	ctx, err := parser.Parse(args)
	if err != nil {
		where := "jot"
		var pe *kong.ParseError
		if errors.As(err, &pe) && pe.Context != nil && pe.Context.Selected() != nil {
			where = pe.Context.Selected().FullPath()
		}
		hint := "see " + where + " --help"
		if strings.Contains(err.Error(), "expected duration") {
			hint = "write it as 30s, 15m or 168h, which is a week"
		}
		if text := err.Error(); strings.HasPrefix(text, "unknown flag -") && !strings.HasPrefix(text, "unknown flag --") {
			hint += "; a name that begins with - comes last, after --" // such as one of 64 that are made at random
		}
		t.report(&failure{code: exitUsage, msg: err.Error(), hint: hint})
		return exitUsage
	}
	err = ctx.Run(&app{terminal: t, in: &input{term: t}, model: parser.Model, clock: clock})
	if t.broken != nil {
		err = fail(exitFile, "", "cannot write the output: %v", t.broken)
	}
	if err == nil {
		return exitOK
	}
	f := asFailure(err)
	t.report(f)
	return f.code
}
