package main

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

type manCmd struct{}

func (*manCmd) Help() string { return "Read it with: jot man | man -l -" }

func (*manCmd) Run(a *app) error {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH JOT 1 \"\" %s \"User Commands\"\n", roffQuote("jot "+version()))
	fmt.Fprintf(&b, ".SH NAME\njot \\- inspect, verify, sign, encrypt and decrypt JSON Web Tokens, and serve them\n")
	b.WriteString(".SH SYNOPSIS\n")
	for _, n := range a.model.Leaves(true) {
		fmt.Fprintf(&b, ".B %s\n.br\n", roff(synopsis(n)))
	}
	fmt.Fprintf(&b, ".SH DESCRIPTION\n%s\n", roffText(description+`

A token is given as TOKEN, as @FILE, or as - for standard input. Keys, secrets and passwords are read from files and never taken from arguments or the environment; a password is asked for on the terminal unless --password-file or --password-fd says where it is. Data goes to standard output, everything else to standard error.`))
	b.WriteString(".SH COMMANDS\n")
	for _, n := range a.model.Leaves(true) {
		fmt.Fprintf(&b, ".SS %s\n%s\n", roffQuote(synopsis(n)), roffText(n.Help))
		if n.Detail != "" {
			fmt.Fprintf(&b, ".PP\n%s\n", roffText(n.Detail))
		}
		for _, p := range n.Positional {
			fmt.Fprintf(&b, ".TP\n.I %s\n%s\n", roff(strings.ToUpper(p.Name)), roffText(p.Help))
		}
		for _, f := range n.Flags {
			name := `\fB\-\-` + roff(f.Name) + `\fR`
			if f.Short != 0 {
				name = fmt.Sprintf(`\fB\-%c\fR, `, f.Short) + name
			}
			if f.Tag.Negatable != "" {
				name += `, \fB\-\-no\-` + roff(f.Name) + `\fR`
			}
			if !f.IsBool() {
				name += ` \fI` + roff(placeholder(f)) + `\fR`
			}
			fmt.Fprintf(&b, ".TP\n%s\n%s\n", name, roffText(f.Help))
		}
	}
	b.WriteString(".SH EXIT STATUS\n")
	for _, t := range words {
		if t.what == "exit code" {
			fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", roff(t.word), roffText(t.text))
		}
	}
	b.WriteString(".SH ENVIRONMENT\n.TP\n.B NO_COLOR\nIf it is set and not empty, nothing is coloured.\n")
	a.data(b.String())
	return nil
}

func synopsis(n *kong.Node) string {
	s := n.FullPath()
	for _, p := range n.Positional {
		name := strings.ToUpper(p.Name)
		if !p.Required {
			name = "[" + name + "]"
		}
		s += " " + name
	}
	return s
}

func placeholder(f *kong.Flag) string {
	switch {
	case f.PlaceHolder != "":
		return f.PlaceHolder
	case f.Enum != "":
		return strings.ReplaceAll(f.Enum, ",", "|")
	}
	return strings.ToUpper(f.Name)
}

var roffEscapes = strings.NewReplacer(`\`, `\e`, `-`, `\-`, `'`, `\(aq`, "`", "\\(ga", `"`, `\(dq`, `…`, `...`)

// roff escapes text within a line.
func roff(s string) string { return roffEscapes.Replace(s) }

// roffQuote is one argument of a macro.
func roffQuote(s string) string { return `"` + roff(s) + `"` }

// roffText is text on lines of its own: a dot that begins a line would be a macro.
func roffText(s string) string {
	var lines []string
	for _, line := range strings.Split(s, "\n") {
		if line = roff(strings.TrimSpace(line)); line == "" {
			line = ".PP"
		} else if line[0] == '.' {
			line = `\&` + line
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}
