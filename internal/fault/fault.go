// Package fault is the one shape of an error in jot: a stable code, a sentence
// for people, and the clause of the specification that is enforced.
//
// Packages declare their sentinels with [New] and return them as they are, or
// with the detail of one case through [Error.With] and [Error.Wrap]. Every error
// made here answers Code() and Spec(), so that a caller outside this module can
// reach both through a small interface of its own.
//
// A detail never holds anything of a token's payload, a secret or a private key.
package fault

import "errors"

// Error is a refusal. Sentinels are compared with errors.Is; errors derived from
// a sentinel match it.
type Error struct {
	code, spec, text string
	sentinel         *Error // nil in a sentinel itself
	cause            error
}

// New makes a sentinel. The code is part of the stable interface; spec may be empty.
func New(code, spec, text string) *Error {
	return &Error{code: code, spec: spec, text: text}
}

// With returns an error that is e with a detail added to its sentence.
func (e *Error) With(detail string) *Error {
	return &Error{code: e.code, spec: e.spec, text: e.text + ": " + detail, sentinel: e.root(), cause: e.cause}
}

// Wrap returns an error that is e and is caused by cause. Where the cause has a
// code of its own, that more precise code is the one reported.
func (e *Error) Wrap(cause error) *Error {
	w := &Error{code: e.code, spec: e.spec, text: e.text + ": " + cause.Error(), sentinel: e.root(), cause: cause}
	var f *Error
	if errors.As(cause, &f) {
		w.code, w.spec = f.code, f.spec
	}
	return w
}

func (e *Error) root() *Error {
	if e.sentinel != nil {
		return e.sentinel
	}
	return e
}

// Error returns the sentence, without the code.
func (e *Error) Error() string { return e.text }

// Code returns the stable code, such as "alg.unknown".
func (e *Error) Code() string { return e.code }

// Spec returns the clause that is enforced, such as "RFC 7515, Section 4.1.11".
func (e *Error) Spec() string { return e.spec }

// Is reports whether target is the sentinel e was made from.
func (e *Error) Is(target error) bool {
	t, _ := target.(*Error)
	return e.root() == t // which is never nil
}

// Sentence returns what the sentinel says whose code is reported of err, without the details of one case, which are not for everybody. It is
// "" where nothing has a code.
func Sentence(err error) string {
	var f *Error
	if !errors.As(err, &f) {
		return ""
	}
	for inner := (*Error)(nil); errors.As(f.cause, &inner); {
		f = inner // whose code Wrap has taken
	}
	return f.root().text
}

// Unwrap returns the cause, if there is one.
func (e *Error) Unwrap() error { return e.cause }

// CodeOf returns the code of the first error in err's tree that has one, or "".
func CodeOf(err error) string {
	var c interface{ Code() string }
	if errors.As(err, &c) {
		return c.Code()
	}
	return ""
}
