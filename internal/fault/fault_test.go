package fault_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/jotsuite/jot/internal/fault"
)

var (
	errOuter = fault.New("outer.code", "RFC 1, Section 1", "outer")
	errInner = fault.New("inner.code", "RFC 2, Section 2", "inner")
)

func TestError(t *testing.T) {
	tests := []struct {
		name             string
		err              *fault.Error
		text, code, spec string
		is               []error
		isNot            []error
	}{
		{"sentinel", errOuter, "outer", "outer.code", "RFC 1, Section 1", []error{errOuter}, []error{errInner, io.EOF}},
		{"detail", errOuter.With("at 3"), "outer: at 3", "outer.code", "RFC 1, Section 1", []error{errOuter}, []error{errInner}},
		{"detail of a detail", errOuter.With("at 3").With("of 4"), "outer: at 3: of 4", "outer.code", "RFC 1, Section 1", []error{errOuter}, nil},
		{"cause without a code", errOuter.Wrap(io.EOF), "outer: EOF", "outer.code", "RFC 1, Section 1", []error{errOuter, io.EOF}, []error{errInner}},
		{"cause with a code", errOuter.Wrap(errInner), "outer: inner", "inner.code", "RFC 2, Section 2", []error{errOuter, errInner}, nil},
		{
			"cause deep down", errOuter.Wrap(fmt.Errorf("between: %w", errInner.Wrap(io.EOF))), "outer: between: inner: EOF",
			"inner.code", "RFC 2, Section 2",
			[]error{errOuter, errInner, io.EOF},
			nil,
		},
		{"detail of a cause", errOuter.Wrap(io.EOF).With("at 3"), "outer: EOF: at 3", "outer.code", "RFC 1, Section 1", []error{errOuter, io.EOF}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.err.Error(); got != tt.text {
				t.Errorf("Error() = %q, want %q", got, tt.text)
			}
			if got := tt.err.Code(); got != tt.code {
				t.Errorf("Code() = %q, want %q", got, tt.code)
			}
			if got := tt.err.Spec(); got != tt.spec {
				t.Errorf("Spec() = %q, want %q", got, tt.spec)
			}
			for _, target := range tt.is {
				if !errors.Is(tt.err, target) {
					t.Errorf("it is not %v", target)
				}
			}
			for _, target := range tt.isNot {
				if errors.Is(tt.err, target) {
					t.Errorf("it is %v", target)
				}
			}
		})
	}
	// A case of a sentinel is not what another case is.
	if a, b := errOuter.With("a"), errOuter.With("b"); errors.Is(a, b) {
		t.Error("two cases of one sentinel match each other")
	}
}

func TestCodeOf(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{io.EOF, ""},
		{errOuter, "outer.code"},
		{fmt.Errorf("said elsewhere: %w", errInner.With("x")), "inner.code"},
		{errors.Join(io.EOF, errInner), "inner.code"},
	} {
		if got := fault.CodeOf(tt.err); got != tt.want {
			t.Errorf("CodeOf(%v) = %q, want %q", tt.err, got, tt.want)
		}
	}
}

// What everybody may be told is the sentence of the code alone.
func TestSentence(t *testing.T) {
	for want, errs := range map[string][]error{
		"outer": {errOuter, errOuter.With("at 3"), errOuter.With("at 3").With("of 4"), errOuter.Wrap(io.EOF), fmt.Errorf("before: %w", errOuter.With("at 3"))},
		"inner": {errInner, errOuter.Wrap(errInner), errOuter.Wrap(errInner.With("at 3")).With("of 4"), errOuter.Wrap(fmt.Errorf("between: %w", errInner.Wrap(io.EOF)))},
		"":      {nil, io.EOF},
	} {
		for _, err := range errs {
			if got := fault.Sentence(err); got != want {
				t.Errorf("%v: %q, want %q", err, got, want)
			}
		}
	}
}
