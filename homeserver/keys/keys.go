package keys

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Config is what New needs.
type Config struct {
	// Server is the server's name, the part of user ids behind the colon.
	Server string
	Store  *store.Store
	Log    *slog.Logger
	// Remote asks other servers; nil means that there are none.
	Remote Remote
	// Now tells the time; nil means time.Now.
	Now func() time.Time
	// Unchecked takes device keys whose key material and signatures are nonsense, and backups with
	// any auth_data: for conformance suites.
	Unchecked bool
}

// Keys answers the requests about encryption. It is safe for concurrent use.
type Keys struct {
	server string
	store  *store.Store
	log    *slog.Logger
	now    func() time.Time
	// unchecked is Config.Unchecked.
	unchecked bool
	// forgot is when old requests were last forgotten, in milliseconds.
	forgot atomic.Int64
	remote Remote
	// remembered are the keys of users of other servers, and forgotten counts what was taken out.
	remembered *lru.Cache[string, *remoteKeys]
	forgotten  atomic.Int64
	stale      stale
}

// New makes Keys.
func New(c Config) (*Keys, error) {
	if c.Server == "" || c.Store == nil || c.Log == nil {
		return nil, errors.New("keys: the server's name, the store and the log are needed")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	k := &Keys{server: c.Server, store: c.Store, log: c.Log, now: c.Now, remote: c.Remote, unchecked: c.Unchecked}
	var err error
	k.stale = stale{waiting: map[string]bool{}, queue: make(chan string, staleMax)}
	if k.remembered, err = lru.New[string, *remoteKeys](remoteUsers); err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	return k, nil
}

// Owner is the device, or for some requests just the user, that makes a request.
type Owner struct {
	UserID    string
	UserNID   int64
	DeviceID  string
	DeviceNID int64
}

func (o Owner) device() store.DeviceName { return store.DeviceName{User: o.UserNID, ID: o.DeviceID} }

// Failures tells of servers that could not be asked, by name.
type Failures map[string]Failure

// Failure is why a server could not be asked.
type Failure struct {
	Code    string `json:"errcode"`
	Message string `json:"error"`
}

// local tells whether a user is of this server.
func (k *Keys) local(user string) bool {
	_, server, ok := strings.Cut(user, ":")
	return ok && server == k.server
}

// public gives an error a public face.
func public(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := mxerror.As(err); ok {
		return err
	}
	return mxerror.New(http.StatusInternalServerError, "M_UNKNOWN", "The server could not do that. Please try again.").Because(err)
}

// userNID finds a local user's number; 0 if there is none such.
func (k *Keys) userNID(ctx context.Context, user string) (int64, error) {
	nid, err := k.store.UserNID(ctx, user)
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	}
	return nid, err
}

// Counts are the one-time keys that a device has left by algorithm, and the algorithms whose
// fallback key nobody has been given, as /sync tells them.
func (k *Keys) Counts(ctx context.Context, user int64, device string) (oneTime map[string]int, unusedFallback []string, err error) {
	d := store.DeviceName{User: user, ID: device}
	if oneTime, err = k.store.OneTimeKeyCounts(ctx, d); err != nil {
		return nil, nil, err
	}
	withUsual(oneTime)
	unusedFallback, err = k.store.UnusedFallbackKeys(ctx, d)
	return oneTime, unusedFallback, err
}

// withUsual names the usual algorithm even if the count is 0: some clients upload new keys only
// when they are told so.
func withUsual(counts map[string]int) {
	const usual = "signed_curve25519"
	if _, ok := counts[usual]; !ok {
		counts[usual] = 0
	}
}

// Changed lists the users whose keys, as a viewer sees them, changed in (after, upto] and who
// concern the viewer.
func (k *Keys) Changed(ctx context.Context, viewer, after, upto int64, concerns func(user int64) bool) ([]string, error) {
	nids, err := k.store.DeviceListChangesFor(ctx, viewer, after, upto)
	if err != nil {
		return nil, public(err)
	}
	users := []string{}
	for _, nid := range nids {
		if nid != viewer && !concerns(nid) {
			continue
		}
		id, err := k.store.UserID(ctx, nid)
		if err != nil {
			return nil, public(err)
		}
		users = append(users, id)
	}
	return users, nil
}
