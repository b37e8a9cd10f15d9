package fclient

import (
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// Section says to which list of an answer an event belongs.
type Section int

// The lists of events of send_join and state.
const (
	SectionState Section = iota
	SectionAuth
)

// Each is called for each event as it arrives. The bytes are the callee's.
type Each func(Section, jsontext.Value) error

// fields reads an object member by member, so that long lists needn't be in memory. Unknown
// members are skipped.
type fields map[string]func(*jsontext.Decoder) error

func (f fields) read(_ *http.Response, r io.Reader) error {
	d := jsontext.NewDecoder(r)
	if tok, err := d.ReadToken(); err != nil {
		return err
	} else if tok.Kind() != '{' {
		return errors.New("it is not an object")
	}
	for d.PeekKind() != '}' {
		tok, err := d.ReadToken()
		if err != nil {
			return err
		}
		name := tok.String()
		if fn := f[name]; fn != nil {
			err = fn(d)
		} else {
			err = d.SkipValue()
		}
		if err != nil {
			return fmt.Errorf("%.64s: %w", name, err)
		}
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	// To the very end: who hangs up before the other side has sent it breaks the stream off.
	if _, err := d.ReadToken(); err == nil {
		return errors.New("something follows the object")
	} else if !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// into decodes a member into a variable.
func into(out any) func(*jsontext.Decoder) error {
	return func(d *jsontext.Decoder) error { return json.UnmarshalDecode(d, out) }
}

// list hands the elements of an array over one by one.
func (each Each) list(s Section) func(*jsontext.Decoder) error {
	return func(d *jsontext.Decoder) error {
		return elements(d, func() error {
			raw, err := d.ReadValue()
			if err != nil {
				return err
			}
			return each(s, raw.Clone())
		})
	}
}

// texts collects the strings of an array, up to a number.
func texts(out *[]string, most int) func(*jsontext.Decoder) error {
	return func(d *jsontext.Decoder) error {
		return elements(d, func() error {
			tok, err := d.ReadToken()
			if err != nil {
				return err
			}
			if tok.Kind() != '"' {
				return errors.New("it is not a list of strings")
			}
			if len(*out) == most {
				return fmt.Errorf("there are more than %d", most)
			}
			*out = append(*out, tok.String())
			return nil
		})
	}
}

func elements(d *jsontext.Decoder, one func() error) error {
	switch d.PeekKind() {
	case '[':
	case 'n':
		return d.SkipValue()
	default:
		if _, err := d.ReadToken(); err != nil {
			return err
		}
		return errors.New("it is not a list")
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for d.PeekKind() != ']' {
		if err := one(); err != nil {
			return err
		}
	}
	_, err := d.ReadToken()
	return err
}

// secondEvent reads [200, {"event": ...}].
func secondEvent(list []jsontext.Value) (jsontext.Value, error) {
	var out struct {
		Event jsontext.Value `json:"event"`
	}
	if len(list) != 2 {
		return nil, errors.New("the answer is not a list of two")
	}
	if err := json.Unmarshal(list[1], &out); err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	return out.Event, nil
}
