package pushers

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// A Web Push pusher is told nothing until its client has shown that it gets what is sent there: it
// sends back a token that came by a message. MSC4174: "The server must expire the ack_token after 5
// minutes." Tokens are kept in memory; who loses one registers again.
const (
	ackLife  = 5 * time.Minute
	acksKept = 8192
)

// ack is a token that has been, or is to be, sent to a browser. Guarded by Pushers.mu.
type ack struct {
	token string
	until time.Time
	sent  bool
}

func ackKey(row store.Pusher) string { return strconv.FormatInt(row.User, 10) + "\x00" + key(row) }

// expectAck makes a token for a pusher, which a worker sends.
func (p *Pushers) expectAck(row store.Pusher) {
	var raw [16]byte
	rand.Read(raw[:]) // never fails
	p.mu.Lock()
	defer p.mu.Unlock()
	p.acks.Add(ackKey(row), &ack{token: hex.EncodeToString(raw[:]), until: p.o.Now().Add(ackLife)})
}

// activated reads data.activated.
func activated(data jsontext.Value) bool {
	var d struct {
		Activated bool `json:"activated"`
	}
	return json.Unmarshal(data, &d) == nil && d.Activated
}

// setActivated writes data.activated: "the server must add to the responses that include the data".
func setActivated(data jsontext.Value, on bool) (jsontext.Value, error) {
	members := map[string]jsontext.Value{}
	if err := json.Unmarshal(data, &members); err != nil {
		return nil, err
	}
	members["activated"] = jsontext.Value(strconv.FormatBool(on))
	raw, err := json.Marshal(members, json.Deterministic(true))
	return raw, err
}

// sameBrowser tells whether two pushers of one key lead to the same place with the same secret.
func sameBrowser(a, b jsontext.Value) bool {
	var x, y struct {
		URL  string `json:"url"`
		Auth string `json:"auth"`
	}
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && x == y
}

// activate sends the token of a pusher that is not activated.
func (t *turn) activate(ctx context.Context, row store.Pusher, st *state, to target) error {
	st.pos = t.upto // what happens until then is not told
	t.p.mu.Lock()
	a, ok := t.p.acks.Get(ackKey(row))
	if !ok || a.sent || !t.now.Before(a.until) {
		t.p.mu.Unlock()
		return nil
	}
	token := a.token
	t.p.mu.Unlock()
	body, err := json.Marshal(map[string]string{"app_id": row.AppID, "ack_token": token}, json.Deterministic(true))
	if err != nil {
		return err
	}
	if ok, err := t.tell(ctx, row, st, to, body); err != nil || !ok {
		return err
	}
	t.p.mu.Lock()
	a.sent = true
	t.p.mu.Unlock()
	return nil
}

// Activate is POST /pushers/ack: the client shows the token that came by a message.
func (p *Pushers) Activate(ctx context.Context, user int64, appID, token string) error {
	rows, err := p.o.Store.PushersOf(ctx, user)
	if err != nil {
		return err
	}
	found := false
	for _, row := range rows {
		if row.AppID != appID || !isWebPush(row.Kind) {
			continue
		}
		found = true
		p.mu.Lock()
		a, ok := p.acks.Get(ackKey(row))
		ok = ok && subtle.ConstantTimeCompare([]byte(a.token), []byte(token)) == 1
		p.mu.Unlock()
		if !ok {
			continue
		}
		if !p.o.Now().Before(a.until) {
			return mxerror.New(http.StatusGone, "M_EXPIRED_ACTIVATION_TOKEN", "The token has expired. Set the pusher again.")
		}
		return p.markActivated(ctx, row)
	}
	if !found {
		return mxerror.NotFound("You have no pusher of this app.")
	}
	return mxerror.New(http.StatusBadRequest, "M_UNKNOWN_ACTIVATION_TOKEN", "The token is not known.")
}

// markActivated notes that a pusher is activated; it begins with what happens from now on.
func (p *Pushers) markActivated(ctx context.Context, row store.Pusher) error {
	var d details
	if err := json.Unmarshal([]byte(row.JSON), &d); err != nil {
		return fmt.Errorf("reading a stored pusher: %w", err)
	}
	var err error
	if d.Data, err = setActivated(d.Data, true); err != nil {
		return fmt.Errorf("reading a stored pusher: %w", err)
	}
	raw, err := json.Marshal(d)
	if err != nil {
		return err
	}
	row.JSON = string(raw)
	if err := p.o.Store.Write(ctx, func(t *store.Tx) error { return t.SetPusher(row) }); err != nil {
		return err
	}
	return p.refresh(ctx, row.User)
}
