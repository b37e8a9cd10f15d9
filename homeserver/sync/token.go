package sync

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

// Token is a position in what a client has seen: of the log; of what is not logged (who is
// typing), which counts on from the time of the server's start; and of the messages to its
// device, which lag behind the log when there are more than fit into one answer.
type Token struct {
	Log    int64
	Brief  int64
	Device int64
}

// String is the token as clients see it: s<log>_<brief>_<device>.
func (t Token) String() string { return fmt.Sprintf("s%d_%d_%d", t.Log, t.Brief, t.Device) }

// ParseToken reads a since token.
func ParseToken(s string) (Token, error) {
	rest, ok := strings.CutPrefix(s, "s")
	parts := strings.Split(rest, "_")
	var n [3]int64
	ok = ok && len(parts) == len(n)
	for i := 0; ok && i < len(n); i++ {
		v, err := strconv.ParseInt(parts[i], 10, 64)
		n[i], ok = v, err == nil && v >= 0
	}
	if !ok {
		return Token{}, mxerror.InvalidParam("%q is not a token of this server's /sync.", clip(s))
	}
	return Token{n[0], n[1], n[2]}, nil
}

// Position is a token of /messages: just after the event at this place in the log.
type Position int64

// String is the token as clients see it: t<pos>.
func (p Position) String() string { return "t" + strconv.FormatInt(int64(p), 10) }

// ParsePosition reads a token of /messages. Specification: "from: [...] This token can be
// obtained from a prev_batch or next_batch token returned by the /sync endpoint".
func ParsePosition(s string) (Position, error) {
	if rest, ok := strings.CutPrefix(s, "t"); ok {
		if n, err := strconv.ParseInt(rest, 10, 64); err == nil {
			return Position(n), nil
		}
	} else if t, err := ParseToken(s); err == nil {
		return Position(t.Log), nil
	}
	return 0, mxerror.InvalidParam("%q is not a pagination token of this server.", clip(s))
}

func clip(s string) string { return s[:min(len(s), 64)] }
