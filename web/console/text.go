package console

import (
	"cmp"
	"encoding/json/v2"
	"fmt"
	"html/template"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/landbridge-im/landbridge/internal/sentence"
)

// funcs are what the templates can call.
var funcs = template.FuncMap{"when": when, "bytes": size, "number": number, "lower": lower, "ago": ago}

// when writes a time in milliseconds.
func when(ms int64) sentence.Text {
	if ms <= 0 {
		return say("never")
	}
	return sentence.Data(time.UnixMilli(ms).UTC().Format("2006-01-02 15:04"))
}

// number writes a number with spaces between thousands.
func number(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "\u202f" + s[i:]
	}
	return s
}

// size writes a number of bytes.
func size(n int64) string {
	if n < 1024 {
		return strconv.FormatInt(n, 10) + " B"
	}
	f, names := float64(n)/1024, "KMGT"
	for f >= 1024 && len(names) > 1 {
		f, names = f/1024, names[1:]
	}
	return fmt.Sprintf("%.1f %ciB", f, names[0])
}

// ago writes a time span. Seconds, minutes and hours have signs that need no translation.
func ago(d time.Duration) sentence.Text {
	switch {
	case d < time.Minute:
		return sentence.Data(strconv.Itoa(int(d/time.Second)) + " s")
	case d < time.Hour:
		return sentence.Data(strconv.Itoa(int(d/time.Minute)) + " min")
	case d < 48*time.Hour:
		return sentence.Data(strconv.Itoa(int(d/time.Hour)) + " h")
	}
	return say("%d days", int(d/(24*time.Hour)))
}

func lower(s string) string { return strings.ReplaceAll(strings.ToLower(s), "_", " ") }

// text reads a JSON text; "" if it is none.
func text(raw string) string {
	var s string
	if raw == "" || json.Unmarshal([]byte(raw), &s) != nil {
		return ""
	}
	return s
}

func sortBy[T any, K cmp.Ordered](list []T, key func(T) K) {
	slices.SortStableFunc(list, func(a, b T) int { return cmp.Compare(key(a), key(b)) })
}

// fields are the words of a list with spaces or commas between them.
func fields(s string) []string { return strings.Fields(strings.ReplaceAll(s, ",", " ")) }
