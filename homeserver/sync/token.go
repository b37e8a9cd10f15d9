package sync

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Token is a position in what a client has seen: of the log; of what is not logged (who is
// typing), which counts on from the time of the server's start; and of the messages to its
// device, which lag behind the log when there are more than fit into one answer; and of changes of
// presence, which also count on from the server's start.
type Token struct {
	Log      int64
	Brief    int64
	Device   int64
	Presence int64
}

// String is the token as clients see it: s<log>_<brief>_<device>_<presence>.
func (t Token) String() string {
	return fmt.Sprintf("s%d_%d_%d_%d", t.Log, t.Brief, t.Device, t.Presence)
}

// maxToken bounds what is looked at of a token.
const maxToken = 128

// ParseToken reads a since token. The last part may be missing: older versions had none.
func ParseToken(s string) (Token, error) {
	rest, ok := strings.CutPrefix(s, "s")
	var parts []string
	if ok = ok && len(s) <= maxToken; ok {
		parts = strings.Split(rest, "_")
	}
	var n [4]int64
	ok = ok && (len(parts) == len(n) || len(parts) == len(n)-1)
	for i := 0; ok && i < len(parts); i++ {
		v, err := strconv.ParseInt(parts[i], 10, 64)
		n[i], ok = v, err == nil && v >= 0
	}
	if !ok {
		return Token{}, mxerror.InvalidParam("%q is not a token of this server's /sync.", clip(s))
	}
	return Token{n[0], n[1], n[2], n[3]}, nil
}

// Position is a token of /messages: a place in a room's history, or a position of the log, which
// every room has a place for.
type Position struct {
	store.Place
	// Log is the position of the log at which /sync gave the token; 0 if another endpoint did.
	Log int64
	// IsLog means that there is no Place, only Log.
	IsLog bool
	// Upto leaves out what came later in the log, where that isn't behind Place in the history; 0 means
	// that nothing is left out. Only readers who go back look at it.
	Upto int64
}

// At is the token of a place.
func At(p store.Place) Position { return Position{Place: p} }

// String is the token as clients see it: t<depth>_<pos>[_<log>[_<upto>]], or the one of /sync.
func (p Position) String() string {
	if p.IsLog {
		return Token{Log: p.Log, Device: p.Log}.String()
	}
	if p.Upto != 0 {
		return fmt.Sprintf("t%d_%d_%d_%d", p.Depth, p.Pos, p.Log, p.Upto)
	}
	if p.Log != 0 {
		return fmt.Sprintf("t%d_%d_%d", p.Depth, p.Pos, p.Log)
	}
	return fmt.Sprintf("t%d_%d", p.Depth, p.Pos)
}

// In finds the place that the token stands for in a room.
func (p Position) In(ctx context.Context, s *store.Store, room int64) (store.Place, error) {
	if p.IsLog {
		return s.PlaceAt(ctx, room, p.Log)
	}
	return p.Place, nil
}

// ParsePosition reads a token of /messages, or one of sliding sync, which is one of /sync with more
// behind a dot: MSC4186: "A pos token can be used in /messages and /relations APIs". Specification: "from: [...] This token can be
// obtained from a prev_batch or next_batch token returned by the /sync endpoint".
func ParsePosition(s string) (Position, error) {
	if rest, ok := strings.CutPrefix(s, "t"); ok {
		var n [4]int64
		parts := strings.Split(rest, "_")
		ok := len(s) <= maxToken && len(parts) >= 2 && len(parts) <= 4
		for i := 0; ok && i < len(parts); i++ {
			v, err := strconv.ParseInt(parts[i], 10, 64)
			n[i], ok = v, err == nil
		}
		if ok {
			return Position{Place: store.Place{Depth: n[0], Pos: n[1]}, Log: n[2], Upto: n[3]}, nil
		}
	} else if t, err := ParseToken(before(s, ".")); err == nil {
		return Position{Log: t.Log, IsLog: true}, nil
	}
	return Position{}, mxerror.InvalidParam("%q is not a pagination token of this server.", clip(s))
}

func before(s, sep string) string { s, _, _ = strings.Cut(s, sep); return s }

// clip makes what a stranger sent fit to be repeated in an error.
func clip(s string) string { return strings.ToValidUTF8(s[:min(len(s), 64)], "\uFFFD") }
