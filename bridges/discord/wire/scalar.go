package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"time"
)

// ID is a snowflake. It may come as a string or as a number.
type ID string

// epoch is the beginning of Discord's time, in milliseconds of Unix time.
const epoch = 1420070400000

// UnmarshalJSON implements json.Unmarshaler. What is no id becomes "".
func (i *ID) UnmarshalJSON(raw []byte) error {
	*i = ID(scalar(raw))
	if _, err := strconv.ParseUint(string(*i), 10, 64); err != nil {
		*i = ""
	}
	return nil
}

// Uint is the id as a number; 0 if it is none.
func (i ID) Uint() uint64 {
	n, _ := strconv.ParseUint(string(i), 10, 64)
	return n
}

// Time is when the id was made.
func (i ID) Time() time.Time {
	return time.UnixMilli(int64(i.Uint()>>22) + epoch)
}

// After reports whether the id is newer than another one; all are newer than "".
func (i ID) After(other ID) bool { return i.Uint() > other.Uint() }

// IDAt is the least id that can be made at a time.
func IDAt(t time.Time) ID {
	ms := t.UnixMilli() - epoch
	if ms < 0 {
		ms = 0
	}
	return ID(strconv.FormatUint(uint64(ms)<<22, 10))
}

// Int is a whole number that may come as a string.
type Int int64

// UnmarshalJSON implements json.Unmarshaler. What is no number becomes 0.
func (n *Int) UnmarshalJSON(raw []byte) error {
	text := scalar(raw)
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || f < -1<<62 || f > 1<<62 {
			f = 0
		}
		v = int64(f)
	}
	*n = Int(v)
	return nil
}

// Float is a number that may come as a string.
type Float float64

// UnmarshalJSON implements json.Unmarshaler. What is no number becomes 0.
func (n *Float) UnmarshalJSON(raw []byte) error {
	v, err := strconv.ParseFloat(scalar(raw), 64)
	if err != nil || v != v || v < -1<<62 || v > 1<<62 {
		v = 0
	}
	*n = Float(v)
	return nil
}

// Time is a time, the zero one if it cannot be read.
type Time struct{ time.Time }

// UnmarshalJSON implements json.Unmarshaler.
func (t *Time) UnmarshalJSON(raw []byte) error {
	t.Time, _ = time.Parse(time.RFC3339Nano, scalar(raw))
	return nil
}

// scalar is the text of a JSON string or number, "" of anything else.
func scalar(raw []byte) string {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return ""
	}
	switch c := raw[0]; {
	case c == '"':
		var s string
		if json.Unmarshal(raw, &s) != nil {
			return ""
		}
		return s
	case c == '-' || c >= '0' && c <= '9':
		return string(raw)
	}
	return ""
}

// List is a list whose elements are read one by one: what cannot be read is left
// out.
type List[T any] []T

// UnmarshalJSON implements json.Unmarshaler.
func (l *List[T]) UnmarshalJSON(raw []byte) error {
	*l = nil
	var items []json.RawMessage
	if json.Unmarshal(raw, &items) != nil {
		return nil
	}
	for _, item := range items {
		var v T
		if Decode(item, &v) == nil {
			*l = append(*l, v)
		}
	}
	return nil
}

// Decode reads JSON, leaving out fields that have another type than they should.
func Decode(raw []byte, into any) error {
	err := json.Unmarshal(raw, into)
	var mismatch *json.UnmarshalTypeError
	if errors.As(err, &mismatch) && mismatch.Field != "" {
		return nil
	}
	return err
}
