package pushers

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json/v2"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/homeserver/unread"
	"github.com/landbridge-im/landbridge/internal/safedial"
)

// Mailer sends an e-mail: text is its plain form, html the other one, and unsubscribe where its reader can end
// such messages, or "".
type Mailer interface {
	Deliver(ctx context.Context, to, subject, text, html, unsubscribe string) error
}

// Options say what Pushers need.
type Options struct {
	Store  *store.Store
	Unread *unread.Counter
	// Mailer sends e-mail, and HasEmail tells whether an address is a user's own; nil if there is
	// no e-mail.
	Mailer   Mailer
	HasEmail func(ctx context.Context, user int64, address string) (bool, error)
	// AllowLoopback allows gateways on this machine and in private networks, and without TLS;
	// AllowNetworks allows single networks.
	AllowLoopback bool
	AllowNetworks []netip.Prefix
	// RootCAs vouch for gateways; nil means the system's.
	RootCAs *x509.CertPool
	// PublicURL is the server's public address, by which push services may know who asks them, and where links in
	// e-mail lead.
	PublicURL string
	// Key is a secret of the server's, from which those links are made; without it there are none.
	Key []byte
	// ServerName is what e-mail calls the server.
	ServerName string
	Log        *slog.Logger
	Now        func() time.Time
	// Backoff is the first pause after a failure, which doubles with every further one; 0 means a
	// second.
	Backoff time.Duration
}

// Bounds of work.
const (
	// workers mostly wait: for gateways, and for what they note to be on disk.
	workers = 32
	// backoffMax is the longest pause between two tries, and giveUp after how long a notification
	// is not worth delivering any more.
	backoffMax = time.Hour
	giveUp     = 24 * time.Hour
	// backlog is how many notifications one pusher is told of at once, after a time without; older
	// ones are left out.
	backlog = 50
)

// Pushers knows and serves the pushers. It is safe for concurrent use.
type Pushers struct {
	o     Options
	http  *http.Client
	hosts hosts

	mu sync.Mutex
	// users are those who have pushers, and rooms who of them is in a room; see follow.go.
	users map[int64]*user
	rooms map[int64]map[*user]struct{}
	ready []*user
	wake  chan struct{}
	// running is set while Run runs.
	running bool
	// began is the end of the log when Run began, and seen up to where it has been published.
	began, seen int64
	// acks are the tokens of Web Push pushers that wait to be activated.
	acks *simplelru.LRU[string, *ack]

	keyMu sync.Mutex
	key   *vapid // nil until it is first needed

	sent, failed, rejected atomic.Int64
}

// New makes the pushers; nobody is told of anything until Run.
func New(o Options) *Pushers {
	if o.Backoff == 0 {
		o.Backoff = time.Second
	}
	d := safedial.Policy{Allow: o.AllowNetworks}
	if o.AllowLoopback {
		d.Allow = safedial.Everywhere()
	}
	transport := d.Transport()
	transport.TLSClientConfig = &tls.Config{RootCAs: o.RootCAs}
	// Most pushers have one of few gateways: each worker keeps its connection.
	transport.MaxIdleConnsPerHost = workers
	acks, _ := simplelru.NewLRU[string, *ack](acksKept, nil) // fails only for a size that is not positive
	return &Pushers{o: o, acks: acks, users: map[int64]*user{}, rooms: map[int64]map[*user]struct{}{}, wake: make(chan struct{}, workers),
		hosts: hosts{m: map[string]*host{}},
		http: &http.Client{Transport: transport, Timeout: 15 * time.Second,
			// A gateway is the one that the user named.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// Pusher is a pusher as clients see it.
type Pusher struct {
	AppID   string `json:"app_id"`
	Pushkey string `json:"pushkey"`
	Kind    string `json:"kind"`
	details
}

// List is GET /pushers.
func (p *Pushers) List(ctx context.Context, user int64) ([]Pusher, error) {
	rows, err := p.o.Store.PushersOf(ctx, user)
	if err != nil {
		return nil, err
	}
	out := make([]Pusher, len(rows))
	for i, r := range rows {
		out[i] = Pusher{AppID: r.AppID, Pushkey: r.Pushkey, Kind: r.Kind}
		if err := json.Unmarshal([]byte(r.JSON), &out[i].details); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Set is POST /pushers/set: it adds, changes or deletes a pusher. device is the one that asks; with
// it the pusher goes. activate tells that the pusher has to be activated, see Activate.
func (p *Pushers) Set(ctx context.Context, user, device int64, r Request) (activate bool, err error) {
	kind, err := r.kind(p.o.AllowLoopback)
	if err != nil {
		return false, err
	}
	row := store.Pusher{User: user, AppID: r.AppID, Pushkey: r.Pushkey, Kind: kind, Device: device, ChangedTS: p.o.Now().UnixMilli()}
	if isWebPush(kind) {
		if activate, err = p.keepActivated(ctx, row, &r); err != nil {
			return false, err
		}
	}
	if err := p.set(ctx, row, r); err != nil {
		return false, err
	}
	if activate {
		p.expectAck(row)
	}
	return activate, p.refresh(ctx, user)
}

// keepActivated sets data.activated of a Web Push pusher: "Re-subscribing an existing pusher, with the
// same pushkey, PusherData.url and PusherData.auth doesn't change its value."
func (p *Pushers) keepActivated(ctx context.Context, row store.Pusher, r *Request) (activate bool, err error) {
	rows, err := p.o.Store.PushersOf(ctx, row.User)
	if err != nil {
		return false, err
	}
	on := false
	for _, have := range rows {
		var d details
		if key(have) != key(row) || !isWebPush(have.Kind) {
			continue
		}
		if err := json.Unmarshal([]byte(have.JSON), &d); err != nil {
			return false, err
		}
		on = activated(d.Data) && sameBrowser(d.Data, r.Data)
	}
	r.Data, err = setActivated(r.Data, on)
	return !on, err
}

func (p *Pushers) set(ctx context.Context, row store.Pusher, r Request) error {
	user, kind := row.User, row.Kind
	if kind == "" {
		return p.o.Store.Write(ctx, func(t *store.Tx) error { return t.DeletePusher(user, r.AppID, r.Pushkey) })
	}
	if kind == kindEmail {
		if err := p.checkEmail(ctx, user, r.Pushkey); err != nil {
			return err
		}
	}
	raw, err := json.Marshal(r.details)
	if err != nil {
		return err
	}
	row.JSON = string(raw)
	return p.o.Store.Write(ctx, func(t *store.Tx) error {
		have, err := t.PushersOf(user)
		if err != nil {
			return err
		}
		others := 0
		for _, h := range have {
			if h.AppID != row.AppID || h.Pushkey != row.Pushkey {
				others++
			}
		}
		if others >= maxPushers {
			return store.Refuse(mxerror.InvalidParam("You can have at most %d pushers.", maxPushers))
		}
		if !r.Append {
			// "Otherwise, the homeserver must remove any other pushers with the same App ID and
			// pushkey for different users." These find out when there is something to push.
			if _, err := t.DeleteOtherPushers(user, r.AppID, r.Pushkey); err != nil {
				return err
			}
		}
		return t.SetPusher(row)
	})
}

func (p *Pushers) checkEmail(ctx context.Context, user int64, address string) error {
	if p.o.Mailer == nil || p.o.HasEmail == nil {
		return mxerror.InvalidParam("This server sends no e-mail.")
	}
	ok, err := p.o.HasEmail(ctx, user, address)
	if err == nil && !ok {
		err = mxerror.New(http.StatusBadRequest, "M_THREEPID_NOT_FOUND", "This is no e-mail address of your account.")
	}
	return err
}

// Stats tell how the pushers do.
type Stats struct {
	// Users have pushers; Waiting ones are to be served.
	Users, Waiting int
	// Sent, Failed and Rejected count notifications and rejected keys since the start.
	Sent, Failed, Rejected int64
}

// Stats tells how the pushers do.
func (p *Pushers) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Stats{len(p.users), len(p.ready), p.sent.Load(), p.failed.Load(), p.rejected.Load()}
}
