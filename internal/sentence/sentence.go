package sentence

import (
	"encoding"
	"errors"
	"fmt"
)

// Text is a sentence. The zero value is none. Its exported fields must not be changed after it was made.
type Text struct {
	// Key is the sentence in English, with the verbs of package fmt where Args belong.
	Key string
	// Args are what belongs in it; those that are a Text are translated, too.
	Args []any
}

var (
	_ encoding.TextMarshaler   = Text{}
	_ encoding.TextUnmarshaler = (*Text)(nil)
	_ fmt.Stringer             = Text{}
)

// Say makes a sentence.
func Say(key string, args ...any) Text { return Text{key, args} }

// Data is what is in no language: a name, an address, what somebody else's program has said.
func Data(s string) Text {
	if s == "" {
		return Text{}
	}
	return Text{"%s", []any{s}}
}

// Join puts sentences after each other.
func Join(list ...Text) Text {
	var out Text
	for _, t := range list {
		if out.Key != "" {
			out.Key += " "
		}
		out.Key += "%s"
		out.Args = append(out.Args, t)
	}
	return out
}

// IsZero tells that nothing is said.
func (t Text) IsZero() bool { return t.Key == "" }

// In gives the sentence in a language: find has the translation of a key.
func (t Text) In(find func(key string) string) string {
	key := t.Key
	if key != "" && !bare(key) {
		key = find(key)
	}
	if len(t.Args) == 0 {
		return key
	}
	args := make([]any, len(t.Args))
	for i, a := range t.Args {
		switch a := a.(type) {
		case Text:
			args[i] = a.In(find)
		case error:
			args[i] = Of(a).In(find)
		default:
			args[i] = a
		}
	}
	return fmt.Sprintf(key, args...)
}

// bare tells that a key is places for what belongs in it, and nothing to translate.
func bare(key string) bool {
	for i := 0; i < len(key); i++ {
		switch {
		case key[i] == '%' && i+1 < len(key):
			i++
		case key[i] >= 'a' && key[i] <= 'z' || key[i] >= 'A' && key[i] <= 'Z' || key[i] >= 0x80:
			return false
		}
	}
	return true
}

// String is the sentence in English.
func (t Text) String() string { return t.In(func(key string) string { return key }) }

// MarshalText gives it in English.
func (t Text) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText takes a sentence that is whole.
func (t *Text) UnmarshalText(b []byte) error {
	*t = Data(string(b))
	return nil
}

// Error is an error that is a sentence for people.
type Error struct {
	Text
	// Cause is what is behind it; nil if there is nothing.
	Cause error
}

// Errorf makes an error for people. An error among what belongs in it is its cause; its verb is %s.
func Errorf(key string, args ...any) *Error {
	e := &Error{Text: Say(key, args...)}
	for _, a := range args {
		if err, ok := a.(error); ok {
			e.Cause = err
		}
	}
	return e
}

func (e *Error) Error() string { return e.String() }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Of is what an error says: its sentence, if it is one for people, or else its text as it is.
func Of(err error) Text {
	if err == nil {
		return Text{}
	}
	// Of a chain the sentence is only a part; what was put around it would be lost.
	if e := (*Error)(nil); errors.As(err, &e) && e.Error() == err.Error() {
		return e.Text
	}
	return Data(err.Error())
}
