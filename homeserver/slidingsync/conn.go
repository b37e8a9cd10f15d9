package slidingsync

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	homesync "github.com/landbridge-im/landbridge/homeserver/sync"
)

// connKey names a connection: "The conn_id is scoped to that user and device."
type connKey struct {
	scope int64
	name  string
}

// conn is what is remembered of a connection.
type conn struct {
	id string
	// scope tells its members apart in the lazy memory.
	scope int64

	mu  sync.Mutex
	seq int64
	// last is the state after the newest answer, and base the one that it was built on: "A server
	// cannot assume that a client has received a response until it receives a new request with the
	// pos token".
	last, base *snapshot
}

// snapshot is what a client has been sent. It does not change once it stands in a conn.
type snapshot struct {
	seq   int64
	token homesync.Token
	rooms map[int64]*sentRoom
	// asked is the key of the request, counts are the key counts that were sent.
	asked, counts string
}

// sentRoom is what a client has been sent of a room. It does not change.
type sentRoom struct {
	// pos is the position up to which the room was sent.
	pos        int64
	membership string
	limit      int
	// whole means that the timeline has been sent to its beginning.
	whole    bool
	required string // key of the state that was asked for
	configs  []Required
	bump     int64
	dm       bool
	unread   homesync.Unread
	// data and receipts are the positions up to which account data and receipts were sent; 0 for
	// never.
	data, receipts int64
}

// Bounds of what is remembered.
const (
	maxConns       = 10_000
	maxDeviceConns = 16
)

// conns are the connections, the least recently used of which are forgotten first.
type conns struct {
	mu      sync.Mutex
	byKey   *lru.Cache[connKey, *conn]
	devices map[int64][]connKey // oldest first
	next    int64
}

func newConns() *conns {
	c := &conns{devices: map[int64][]connKey{}}
	// It fails only for a size that is not positive.
	c.byKey, _ = lru.NewWithEvict(maxConns, func(k connKey, _ *conn) {
		l := slices.DeleteFunc(c.devices[k.scope], func(o connKey) bool { return o == k })
		if c.devices[k.scope] = l; len(l) == 0 {
			delete(c.devices, k.scope)
		}
	})
	return c
}

// open begins a connection anew.
func (c *conns) open(k connKey) *conn {
	var raw [8]byte
	rand.Read(raw[:])
	c.mu.Lock()
	defer c.mu.Unlock()
	c.byKey.Remove(k)
	if l := c.devices[k.scope]; len(l) >= maxDeviceConns {
		c.byKey.Remove(l[0])
	}
	c.next++
	n := &conn{id: hex.EncodeToString(raw[:]), scope: c.next}
	c.byKey.Add(k, n)
	c.devices[k.scope] = append(c.devices[k.scope], k)
	return n
}

// errUnknownPos tells the client to start afresh.
func errUnknownPos() error {
	return mxerror.New(http.StatusBadRequest, "M_UNKNOWN_POS", "This position is not known (any more): start a new connection.")
}

// find gives the connection that a position belongs to, and what the client at that position has.
func (c *conns) find(k connKey, pos string) (*conn, *snapshot, error) {
	parts := strings.Split(pos, ".")
	if len(parts) != 3 {
		return nil, nil, errUnknownPos()
	}
	seq, err := strconv.ParseInt(parts[2], 10, 64)
	if err != nil {
		return nil, nil, errUnknownPos()
	}
	c.mu.Lock()
	n, ok := c.byKey.Get(k)
	c.mu.Unlock()
	if !ok || n.id != parts[1] {
		return nil, nil, errUnknownPos()
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, s := range []*snapshot{n.last, n.base} {
		if s != nil && s.seq == seq {
			return n, s, nil
		}
	}
	return nil, nil, errUnknownPos()
}

// keep makes a snapshot the newest, built on base, and gives its position.
func (n *conn) keep(base, s *snapshot) (pos string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.seq++
	s.seq = n.seq
	n.last, n.base = s, base
	return s.token.String() + "." + n.id + "." + strconv.FormatInt(s.seq, 10)
}
