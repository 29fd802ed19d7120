package main

import (
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/jotsuite/jot/jose/unverified"
	"github.com/jotsuite/jot/lint"
)

type lintCmd struct {
	Token   string `arg:"" optional:"" help:"TOKEN, @FILE or -: any text with tokens in it, at most 16 MB. Without it, stdin is read."`
	Profile string `placeholder:"KIND" words:"kinds" help:"The kind to hold every token to, such as access-token, in place of the one that it seems to be."`
	JSON    bool   `name:"json" xor:"form" help:"Print one JSON object a line for each token."`
	SARIF   bool   `name:"sarif" xor:"form" help:"Print the findings as SARIF 2.1.0, for tools that show them beside a file."`
	Now     string `placeholder:"TIME" help:"The time to say by that a token has expired, as 2026-09-30T12:00:00Z."`
}

func (*lintCmd) Help() string {
	return `Tokens are found in any text: a header, a URL, a log, a page that wraps its lines. For each it is said which kind it is, whether a verifier of that kind accepts it when it is strict and with the options for older senders, and which rules it breaks, each with its place, the specification and what to do. No key is needed, and nothing is verified: what is said is what the token breaks by itself, at a time at which it was good.

A finding is an error where no verifier of the kind accepts the token, a warning where one with a named option does, and a note where nothing is broken. jot explain RULE says more of each.

With --json each token is one line: verified (always false), line, column, kind, alternatives, verifier, strict and legacy (accepts, options, codes), findings (rule, severity, place, message, spec, remedy), and inside for the tokens in the token. The token itself is not printed.

The exit code is 6 when there is an error or a warning, 0 when there are notes at most, and 3 when no token is found.`
}

// linted is what is said of one token.
type linted struct {
	Verified bool `json:"verified"` // always false
	Line     int  `json:"line"`
	Column   int  `json:"column"` // in characters, from 1
	lint.Report

	end [2]int // line and column after it
	raw string
}

func (c *lintCmd) Run(a *app) error {
	now, err := a.now(c.Now)
	if err != nil {
		return err
	}
	kind, err := kindOf(c.Profile)
	if err != nil {
		return err
	}
	text, err := a.in.token(c.Token, theText)
	if err != nil {
		return err
	}
	found := unverified.Find(text)
	if len(found) == 0 {
		return notFound(text)
	}
	reports, at := make([]*linted, len(found)), places{text: text}
	for i, f := range found {
		const around = 80 // bytes, for what is stuck to the token
		r := &linted{Report: lint.Lint(f.Token, lint.Options{
			Kind: kind, Now: now, Before: text[max(0, f.Start-around):f.Start], After: text[f.End:min(len(text), f.End+around)],
		})}
		r.raw = f.Raw
		r.Line, r.Column = at.place(f.Start)
		r.end[0], r.end[1] = at.place(f.End)
		reports[i] = r
	}
	switch {
	case c.JSON:
		for _, r := range reports {
			a.line(r)
		}
	case c.SARIF:
		a.line(sarif(reports, c.Token))
	default:
		a.data(lintText(a.terminal, reports))
	}
	return lintFailure(reports)
}

// kindOf is the kind that an option names; empty where it names none.
func kindOf(name string) (lint.Kind, error) {
	kind := lint.Kind(name)
	if name != "" && !slices.Contains(lint.Kinds(), kind) {
		return "", unknownKind(name, kindNames())
	}
	return kind, nil
}

// unknownKind is the failure to know a kind.
func unknownKind(name string, names []string) *failure {
	return fail(exitUsage, meant(name, names, "the kinds are "+strings.Join(names, ", ")), "%s is no kind of token", quoted(name))
}

func kindNames() []string {
	var names []string
	for _, k := range lint.Kinds() {
		names = append(names, string(k))
	}
	return names
}

// lintFailure counts what was found; nil where there are notes at most.
func lintFailure(reports []*linted) error {
	var errors, warnings int
	for _, r := range reports {
		errors += r.Count(lint.Error)
		warnings += r.Count(lint.Warning)
	}
	var parts []string
	for _, p := range []struct {
		n    int
		name string
	}{{errors, "error"}, {warnings, "warning"}} {
		switch {
		case p.n == 1:
			parts = append(parts, "1 "+p.name)
		case p.n > 1:
			parts = append(parts, fmt.Sprintf("%d %ss", p.n, p.name))
		}
	}
	if len(parts) == 0 {
		return nil
	}
	return fail(exitFindings, "jot explain RULE says more of one", "%s found", strings.Join(parts, " and "))
}

func lintText(t *terminal, reports []*linted) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: this is what the text says, not what is true\n", paint(t.outColour, red, "NOT VERIFIED"))
	first := map[string]int{} // where a token is seen for the first time
	for i, r := range reports {
		if len(reports) > 1 {
			fmt.Fprintf(&b, "\n%s\n", t.heading(fmt.Sprintf("token %d of %d, line %d, column %d", i+1, len(reports), r.Line, r.Column)))
		}
		// What is stuck to one is no finding of another.
		if j, ok := first[r.raw]; ok && reflect.DeepEqual(r.Report, reports[j].Report) {
			fmt.Fprintf(&b, "the same as token %d\n", j+1)
			continue
		} else if !ok {
			first[r.raw] = i
		}
		writeReport(&b, t, &r.Report, "")
	}
	return b.String()
}

func writeReport(b *strings.Builder, t *terminal, r *lint.Report, indent string) {
	row := func(name, value string) {
		fmt.Fprintf(b, "%s%s %s\n", indent, t.heading(fmt.Sprintf("%-8s", name)), visible(oneLine(value)))
	}
	kind := string(r.Kind)
	for i, k := range r.Alternatives {
		if i == 0 {
			kind += ","
		}
		kind += " or " + string(k)
	}
	row("kind", kind)
	if r.Verifier != "" {
		row("strict", verdict(r.Strict, r.Verifier))
		if !r.Strict.Accepts {
			row("legacy", verdict(r.Legacy, r.Verifier))
		}
	}
	colours := map[lint.Severity]string{lint.Error: red, lint.Warning: yellow, lint.Note: bold}
	for _, f := range r.Findings {
		// Padded before it is painted: the colour takes no place.
		label := paint(t.outColour, colours[f.Severity], fmt.Sprintf("%-8s", f.Severity))
		fmt.Fprintf(b, "%s%s %s\n", indent, label, visible(oneLine(f.Rule+" in "+f.Place+": "+f.Message)))
		if f.Spec != "" {
			fmt.Fprintf(b, "%s         %s\n", indent, visible(oneLine("see "+f.Spec)))
		}
		if f.Remedy != "" {
			fmt.Fprintf(b, "%s         %s\n", indent, visible(oneLine("do: "+f.Remedy)))
		}
	}
	if len(r.Findings) == 0 {
		row("findings", "none")
	}
	for i := range r.Inside {
		row("inside", r.Inside[i].Place)
		writeReport(b, t, &r.Inside[i], indent+"  ")
	}
}

// verdict says what a verifier does with the token.
func verdict(v lint.Verdict, verifier string) string {
	s := "refused by " + verifier
	if v.Accepts {
		s = "accepted by " + verifier
	}
	if len(v.Options) > 0 {
		s += " with " + strings.Join(v.Options, " and ")
	}
	if len(v.Codes) > 0 {
		s += ": " + strings.Join(v.Codes, ", ")
	}
	return s
}

// The members of SARIF 2.1.0 (OASIS Standard) that are written.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool struct {
			Driver sarifDriver `json:"driver"`
		} `json:"tool"`
		ColumnKind string        `json:"columnKind"`
		Results    []sarifResult `json:"results"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"version,omitempty"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID               string     `json:"id"`
		ShortDescription sarifText  `json:"shortDescription"`
		Help             *sarifText `json:"help,omitempty"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifResult struct {
		RuleID    string          `json:"ruleId"`
		RuleIndex int             `json:"ruleIndex"`
		Level     lint.Severity   `json:"level"` // error, warning and note are SARIF's own
		Message   sarifText       `json:"message"`
		Locations []sarifLocation `json:"locations"`
	}
	sarifLocation struct {
		Physical sarifPhysical  `json:"physicalLocation"`
		Logical  []sarifLogical `json:"logicalLocations"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   sarifRegion   `json:"region"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine   int `json:"startLine"`
		StartColumn int `json:"startColumn"`
		EndLine     int `json:"endLine"`
		EndColumn   int `json:"endColumn"`
	}
	sarifLogical struct {
		FullyQualifiedName string `json:"fullyQualifiedName"`
	}
)

func sarif(reports []*linted, arg string) sarifLog {
	run := sarifRun{ColumnKind: "unicodeCodePoints", Results: []sarifResult{}}
	run.Tool.Driver = sarifDriver{Name: "jot", Version: version(), Rules: []sarifRule{}}
	index := map[string]int{}
	for _, r := range reports {
		at := sarifPhysical{sarifArtifact{fileURI(arg)}, sarifRegion{r.Line, r.Column, r.end[0], r.end[1]}}
		for _, f := range flat(&r.Report, "") {
			i, ok := index[f.Rule]
			if !ok {
				i = len(index)
				index[f.Rule] = i
				run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{f.Rule, sarifText{sentence(f)}, help(f.Rule)})
			}
			text := f.Message
			if f.Spec != "" {
				text += " (" + f.Spec + ")"
			}
			if f.Remedy != "" {
				text += "; " + f.Remedy
			}
			run.Results = append(run.Results, sarifResult{f.Rule, i, f.Severity, sarifText{text}, []sarifLocation{{at, []sarifLogical{{f.Place}}}}})
		}
	}
	return sarifLog{"https://json.schemastore.org/sarif-2.1.0.json", "2.1.0", []sarifRun{run}}
}

// flat are the findings of a token and of those inside it.
func flat(r *lint.Report, prefix string) []lint.Finding {
	var all []lint.Finding
	for _, f := range r.Findings {
		f.Place = prefix + f.Place
		all = append(all, f)
	}
	for i := range r.Inside {
		all = append(all, flat(&r.Inside[i], prefix+r.Inside[i].Place+"/")...)
	}
	return all
}

// sentence says what a rule is about: what explain says, or else the message.
func sentence(f lint.Finding) string {
	for _, t := range terms() {
		if t.word == f.Rule && t.text != "" {
			return t.text
		}
	}
	return f.Message
}

func help(rule string) *sarifText {
	for _, r := range lint.Rules() {
		if r.ID == rule && r.Remedy != "" {
			return &sarifText{strings.ReplaceAll(r.Remedy, "%s", "it")}
		}
	}
	return nil
}

// fileURI is the file that the findings are of, as a URI reference.
func fileURI(arg string) string {
	name, ok := strings.CutPrefix(arg, "@")
	if !ok {
		return "stdin"
	}
	return (&url.URL{Path: strings.ReplaceAll(name, `\`, "/")}).String()
}
