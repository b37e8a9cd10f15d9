package bridgetest

import (
	"context"
	"fmt"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/crypto/cryptohelper"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	bridgecrypto "github.com/landbridge-im/landbridge/appservice/crypto"
)

// Encrypting is a client of a person that encrypts.
type Encrypting struct {
	*mautrix.Client
	read chan *event.Event
	stop context.CancelFunc
	done chan struct{}
}

// NewEncrypting makes the device of m encrypt. It syncs until it is closed.
func NewEncrypting(ctx context.Context, m *Matrix) (*Encrypting, error) {
	var login struct {
		DeviceID id.DeviceID `json:"device_id"`
	}
	if err := m.Do(ctx, "GET", "/v3/account/whoami", nil, &login); err != nil {
		return nil, err
	}
	c, err := mautrix.NewClient(m.URL, id.UserID(m.UserID), m.Token)
	if err != nil {
		return nil, err
	}
	c.DeviceID = login.DeviceID
	// This is built with GOEXPERIMENT=jsonv2, with which mautrix-go signs badly.
	store := crypto.NewMemoryStore(nil)
	bridgecrypto.SignOneTimeKeys(c, store)
	c.StateStore = mautrix.NewMemoryStateStore().(*mautrix.MemoryStateStore)
	helper, err := cryptohelper.NewCryptoHelper(c, []byte("pickle key of a test"), store)
	if err != nil {
		return nil, err
	}
	if err := helper.Init(ctx); err != nil {
		return nil, err
	}
	c.Crypto = helper
	e := &Encrypting{Client: c, read: make(chan *event.Event, 1000), done: make(chan struct{})}
	c.Syncer.(*mautrix.DefaultSyncer).OnEventType(event.EventMessage, func(_ context.Context, evt *event.Event) { e.read <- evt })
	syncing, stop := context.WithCancel(context.WithoutCancel(ctx))
	e.stop = stop
	go func() {
		defer close(e.done)
		_ = c.SyncWithContext(syncing) // it ends with Close
	}()
	return e, nil
}

// Close ends the syncing.
func (e *Encrypting) Close() {
	e.stop()
	<-e.done
}

// Reads waits for a message; it is an error if that came in clear.
func (e *Encrypting) Reads(ctx context.Context, sender, body string) error {
	for {
		select {
		case evt := <-e.read:
			if evt.Sender != id.UserID(sender) || evt.Content.AsMessage().Body != body {
				continue
			}
			if !evt.Mautrix.WasEncrypted {
				return fmt.Errorf("%q was not encrypted", body)
			}
			return nil
		case <-ctx.Done():
			return fmt.Errorf("%s's %q is not read: %w", sender, body, ctx.Err())
		}
	}
}
