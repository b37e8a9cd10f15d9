package config

import (
	"fmt"
	"log/slog"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// Secret is a text that is printed as *** and nothing else.
type Secret string

// Reveal is the secret itself, for the one place that needs it.
func (s Secret) Reveal() string { return string(s) }

// String is ***, or empty for an empty secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "***"
}

// GoString is String.
func (s Secret) GoString() string { return strconv.Quote(s.String()) }

// LogValue is String.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText is String, for JSON.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalYAML is String.
func (s Secret) MarshalYAML() (any, error) { return s.String(), nil }

// URI is the address of a database. It is printed without its password.
type URI string

// Reveal is the URI with its password.
func (u URI) Reveal() string { return string(u) }

// String is the URI with its password as xxxxx, in the user part and in the query.
func (u URI) String() string {
	s := string(u)
	if !strings.Contains(s, "://") {
		return s
	}
	parsed, err := url.Parse(s)
	if err != nil {
		scheme, _, _ := strings.Cut(s, "://")
		return scheme + "://***"
	}
	q := parsed.Query()
	for key := range q {
		if strings.Contains(strings.ToLower(key), "password") {
			q.Set(key, "xxxxx")
			parsed.RawQuery = q.Encode()
		}
	}
	return parsed.Redacted()
}

// GoString is String.
func (u URI) GoString() string { return strconv.Quote(u.String()) }

// LogValue is String.
func (u URI) LogValue() slog.Value { return slog.StringValue(u.String()) }

// MarshalText is String, for JSON.
func (u URI) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// MarshalYAML is String.
func (u URI) MarshalYAML() (any, error) { return u.String(), nil }

// Duration is a time span, written 30s, 5m or 1h30m.
type Duration time.Duration

// ParseDuration reads a duration.
func ParseDuration(s string) (Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("%q is no duration", s)
	}
	return Duration(d), nil
}

// Std is the duration as the standard library has it.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// String is the shortest form that ParseDuration reads: 1m, not 1m0s.
func (d Duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// MarshalText is String.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// MarshalYAML is String.
func (d Duration) MarshalYAML() (any, error) { return d.String(), nil }

// Size is a number of bytes, written 65536, 64KiB or 50MiB.
type Size int64

type sizeUnit struct {
	name  string
	bytes int64
}

// sizeUnits are the units, larger before smaller, and the binary ones before the decimal.
func sizeUnits() []sizeUnit {
	return []sizeUnit{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"B", 1}}
}

// ParseSize reads a size. Small letters and a space before the unit are allowed.
func ParseSize(s string) (Size, error) {
	number, factor := strings.TrimSpace(s), int64(1)
	for _, u := range sizeUnits() {
		if n := len(number) - len(u.name); n > 0 && strings.EqualFold(number[n:], u.name) {
			number, factor = strings.TrimSpace(number[:n]), u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/factor {
		return 0, fmt.Errorf("%q is no size", s)
	}
	return Size(n * factor), nil
}

// Bytes is the size as a plain number.
func (s Size) Bytes() int64 { return int64(s) }

// String uses the largest binary unit that leaves a whole number.
func (s Size) String() string {
	for _, u := range sizeUnits()[:3] {
		if s != 0 && int64(s)%u.bytes == 0 {
			return strconv.FormatInt(int64(s)/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// MarshalText is String.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalYAML is String.
func (s Size) MarshalYAML() (any, error) { return s.String(), nil }

var (
	_ fmt.Stringer   = Secret("")
	_ slog.LogValuer = Secret("")
	_ yaml.Marshaler = Secret("")
	_ fmt.Stringer   = URI("")
	_ slog.LogValuer = URI("")
	_ yaml.Marshaler = URI("")
	_ yaml.Marshaler = Duration(0)
	_ yaml.Marshaler = Size(0)
)
