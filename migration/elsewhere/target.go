package elsewhere

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/landbridge-im/landbridge/homeserver/importer/wire"
	"github.com/landbridge-im/landbridge/migration/run"
	"github.com/landbridge-im/landbridge/registration"
)

// Options say which homeserver it is.
type Options struct {
	// URL is where its client API is, without a slash at the end.
	URL string
	// Registration is that of the application service, which the homeserver has read.
	Registration *registration.Registration
	// Bot is the localpart of the bridge's bot.
	Bot string
	// Ledger is the file that says what has become what.
	Ledger string
	// HTTP asks the homeserver; nil is a client that waits for an answer for ten minutes.
	HTTP *http.Client
}

// Target is another homeserver. It is safe for concurrent use, if batches for one room wait for each other.
type Target struct {
	o      Options
	ledger *ledger
	after  func(time.Duration) <-chan time.Time
	// server, bot and the rest are known once it is open.
	server, bot string
	set         *registration.Set
	// creators tells that rooms are of a version in which who makes them is above all power levels.
	creators bool

	mu sync.Mutex
	// joins are the join rules of rooms, as far as they were asked for.
	joins map[string]string
}

var (
	_ run.Target  = (*Target)(nil)
	_ run.Speaker = (*Target)(nil)
)

// answerTime bounds one request, a large file's upload among them.
const answerTime = 10 * time.Minute

// New opens the ledger; the homeserver is not asked yet.
func New(o Options) (*Target, error) {
	if u, err := url.Parse(o.URL); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fmt.Errorf("the homeserver's address %q is none: it has to be like https://matrix.example.org", o.URL)
	}
	if o.HTTP == nil {
		o.HTTP = &http.Client{Timeout: answerTime}
	}
	o.URL = strings.TrimRight(o.URL, "/")
	l, err := openLedger(o.Ledger)
	if err != nil {
		return nil, err
	}
	return &Target{o: o, ledger: l, after: time.After, joins: map[string]string{}}, nil
}

// Close closes the ledger.
func (t *Target) Close() error { return t.ledger.close() }

// Open implements run.Target.
func (t *Target) Open(ctx context.Context) (out wire.Opened, err error) {
	var me struct {
		User string `json:"user_id"`
	}
	if err := t.get(ctx, client("account", "whoami"), nil, &me); err != nil {
		if refused(err, "M_UNKNOWN_TOKEN", "M_MISSING_TOKEN") {
			err = fmt.Errorf("%w (has the homeserver read the registration %s, and been restarted since?)", err, t.o.Registration.ID)
		}
		return out, fmt.Errorf("asking %s who we are: %w", t.o.URL, err)
	}
	_, server, ok := strings.Cut(me.User, ":")
	if !ok || !strings.HasPrefix(me.User, "@") {
		return out, fmt.Errorf("%s calls us %q, which is no user id", t.o.URL, me.User)
	}
	t.server, t.bot = server, "@"+t.o.Bot+":"+server
	if t.set, err = registration.NewSet(server, t.o.Registration); err != nil {
		return out, err
	}
	if !t.MaySpeak(t.bot) {
		return out, fmt.Errorf("the registration %s has no place for %s: make it with the names that the mapping has", t.o.Registration.ID, t.bot)
	}
	if err := t.ledger.server(ctx, server); err != nil {
		return out, err
	}
	var can struct {
		Capabilities struct {
			Versions struct {
				Default string `json:"default"`
			} `json:"m.room_versions"`
		} `json:"capabilities"`
	}
	if err := t.register(ctx, t.o.Bot); err != nil {
		return out, err
	}
	if err := t.get(ctx, client("capabilities"), nil, &can); err != nil {
		return out, fmt.Errorf("asking for the versions of rooms: %w", err)
	}
	// From version 12 on whoever makes a room is not in its power levels, and above them.
	v, err := strconv.Atoi(can.Capabilities.Versions.Default)
	t.creators = err == nil && v >= 12
	out.Server = server
	if out.MaxUpload, err = t.maxUpload(ctx); err != nil {
		return out, err
	}
	out.Sources, err = t.ledger.texts(ctx, "SELECT DISTINCT source FROM item")
	return out, err
}

// maxUpload is how large a file may be; 0 if the homeserver does not say.
func (t *Target) maxUpload(ctx context.Context) (int64, error) {
	var out struct {
		Size int64 `json:"m.upload.size"`
	}
	err := t.get(ctx, "/_matrix/client/v1/media/config", nil, &out)
	if refused(err) {
		err = t.get(ctx, "/_matrix/media/v3/config", nil, &out)
	}
	if refused(err) {
		return 0, nil
	}
	return out.Size, err
}

// MaySpeak implements run.Speaker: for whom the registration has a place.
func (t *Target) MaySpeak(userID string) bool {
	if t.set == nil {
		return false
	}
	return userID == t.o.Registration.SenderID(t.server) || len(t.set.InterestedInUser(userID)) > 0
}

// register makes an account, unless it is there.
func (t *Target) register(ctx context.Context, localpart string) error {
	err := t.insist(ctx, func() error {
		return t.ask(ctx, request{method: http.MethodPost, path: client("register"), in: map[string]any{"type": "m.login.application_service", "username": localpart, "inhibit_login": true}}, nil)
	})
	if refused(err, "M_USER_IN_USE") {
		return nil
	}
	if err != nil {
		return fmt.Errorf("making the account of %s: %w", localpart, err)
	}
	return nil
}

// together is how many accounts are made at once.
const together = 4

// People implements run.Target. Who was given a name and picture once keeps what they have now.
func (t *Target) People(ctx context.Context, q wire.People) (out wire.PeopleMade, err error) {
	fresh := make([]bool, len(q.People))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(together)
	for i, p := range q.People {
		g.Go(func() (err error) {
			fresh[i], err = t.person(ctx, p)
			return err
		})
	}
	err = g.Wait()
	for _, f := range fresh {
		if f {
			out.Fresh++
		}
	}
	return out, err
}

func (t *Target) person(ctx context.Context, p wire.Person) (fresh bool, err error) {
	user := "@" + p.Localpart + ":" + t.server
	have, err := t.ledger.text(ctx, "SELECT user FROM who WHERE user=?", user)
	if err != nil || have != "" {
		return false, err
	}
	if !t.MaySpeak(user) {
		return false, fmt.Errorf("the registration %s has no place for %s: make it with the names that the mapping has", t.o.Registration.ID, user)
	}
	if err := t.register(ctx, p.Localpart); err != nil {
		return false, err
	}
	for _, f := range []struct{ field, value string }{{"displayname", p.Name}, {"avatar_url", p.Avatar}} {
		if f.value == "" {
			continue
		}
		err := t.insist(ctx, func() error {
			return t.ask(ctx, request{method: http.MethodPut, path: client("profile", user, f.field), user: user, in: map[string]string{f.field: f.value}}, nil)
		})
		if err != nil {
			return false, fmt.Errorf("setting the %s of %s: %w", f.field, user, err)
		}
	}
	return true, t.ledger.exec(ctx, "INSERT INTO who VALUES (?, ?, ?) ON CONFLICT DO NOTHING", user, p.Name, p.Avatar)
}

// member is the content of a membership event of a user.
func (t *Target) member(ctx context.Context, user, membership string) (map[string]any, error) {
	out := map[string]any{"membership": membership}
	if membership == "leave" {
		return out, nil
	}
	for column, field := range map[string]string{"name": "displayname", "avatar": "avatar_url"} {
		value, err := t.ledger.text(ctx, "SELECT "+column+" FROM who WHERE user=?", user)
		if err != nil {
			return nil, err
		}
		if value != "" {
			out[field] = value
		}
	}
	return out, nil
}

// state sets state of a room as somebody. The same again is no change, so it may be asked for again.
func (t *Target) state(ctx context.Context, room, typ, key, user string, ts int64, content any) (event string, err error) {
	var out struct {
		Event string `json:"event_id"`
	}
	err = t.insist(ctx, func() error {
		return t.ask(ctx, request{method: http.MethodPut, path: client("rooms", room, "state", typ, key), user: user, ts: ts, in: content}, &out)
	})
	return out.Event, err
}
