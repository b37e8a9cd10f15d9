package encryption_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	bridgecrypto "github.com/landbridge-im/landbridge/appservice/crypto"
	"github.com/landbridge-im/landbridge/integration/bridgetest"
	"github.com/landbridge-im/landbridge/integration/testserver"
)

// encrypting is somebody with a client that encrypts: one of mautrix-go, with a
// device of its own and /sync.
type encrypting struct {
	client *mautrix.Client
	mach   *crypto.OlmMachine
	state  *mautrix.MemoryStateStore
	// Events are the events of all rooms, decrypted where that was possible; one
	// that was not is there as it came.
	Events bridgetest.Log[*event.Event]
}

// eager is a syncer that does not wait long for a server that restarts.
type eager struct{ *mautrix.DefaultSyncer }

// OnFailedSync implements mautrix.Syncer.
func (eager) OnFailedSync(*mautrix.RespSync, error) (time.Duration, error) {
	return 20 * time.Millisecond, nil
}

// newEncrypting makes an account and follows /sync until the test ends.
func newEncrypting(ctx context.Context, t *testing.T, s *testserver.Server, name string) *encrypting {
	t.Helper()
	client, err := mautrix.NewClient(s.URL(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.RegisterDummy(ctx, &mautrix.ReqRegister[any]{Username: name, Password: "a long password of " + name})
	if err != nil {
		t.Fatal(err)
	}
	client.UserID, client.DeviceID, client.AccessToken = resp.UserID, resp.DeviceID, resp.AccessToken
	e := &encrypting{client: client, state: mautrix.NewMemoryStateStore().(*mautrix.MemoryStateStore)}
	client.StateStore = e.state
	store := crypto.NewMemoryStore(nil)
	bridgecrypto.SignOneTimeKeys(client, store)
	nop := zerolog.Nop()
	e.mach = crypto.NewOlmMachine(client, &nop, store, e.state)
	if err := e.mach.Load(ctx); err != nil {
		t.Fatal(err)
	}
	if err := e.mach.ShareKeys(ctx, -1); err != nil {
		t.Fatal(err)
	}
	syncer := client.Syncer.(*mautrix.DefaultSyncer)
	client.Syncer = eager{syncer}
	syncer.OnSync(e.mach.ProcessSyncResponse)
	syncer.OnEvent(client.StateStoreSyncHandler)
	syncer.OnEventType(event.StateMember, e.mach.HandleMemberEvent)
	syncer.OnEvent(func(ctx context.Context, evt *event.Event) {
		if evt.Mautrix.EventSource&event.SourceTimeline == 0 {
			return
		}
		if evt.Type == event.EventEncrypted {
			if decrypted, err := e.mach.DecryptMegolmEvent(ctx, evt); err == nil {
				evt = decrypted
			}
		}
		e.Events.Add(evt)
	})
	syncing, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for syncing.Err() == nil {
			// It ends when the server is stopped, and goes on from where it was.
			_ = client.SyncWithContext(syncing)
			select {
			case <-syncing.Done():
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return e
}

// say sends an encrypted message as a client does: it gives the room's key to
// all devices in the room first, if they do not have it.
func (e *encrypting) say(ctx context.Context, room id.RoomID, text string) (id.EventID, error) {
	content := &event.MessageEventContent{MsgType: event.MsgText, Body: text}
	encrypted, err := e.mach.EncryptMegolmEvent(ctx, room, event.EventMessage, content)
	if errors.Is(err, crypto.ErrNoGroupSession) || errors.Is(err, crypto.ErrSessionNotShared) || errors.Is(err, crypto.ErrSessionExpired) {
		members, err := e.client.JoinedMembers(ctx, room)
		if err != nil {
			return "", err
		}
		var users []id.UserID
		for user := range members.Joined {
			users = append(users, user)
		}
		if err := e.mach.ShareGroupSession(ctx, room, users); err != nil {
			return "", fmt.Errorf("sharing the key: %w", err)
		}
		encrypted, err = e.mach.EncryptMegolmEvent(ctx, room, event.EventMessage, content)
		if err != nil {
			return "", err
		}
	} else if err != nil {
		return "", err
	}
	sent, err := e.client.SendMessageEvent(ctx, room, event.EventEncrypted, encrypted)
	if err != nil {
		return "", err
	}
	return sent.EventID, nil
}

// await waits for a message that was encrypted and could be decrypted.
func (e *encrypting) await(ctx context.Context, from int, room id.RoomID, text string) (*event.Event, error) {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	evt, _, err := e.Events.Wait(ctx, from, func(evt *event.Event) bool {
		return evt.RoomID == room && evt.Type == event.EventMessage && evt.Mautrix.WasEncrypted && evt.Content.AsMessage().Body == text
	})
	if err != nil {
		var seen []string
		for _, evt := range e.Events.All(from) {
			seen = append(seen, fmt.Sprintf("%s %s %v", evt.Sender, evt.Type.Type, evt.Content.Raw["body"]))
		}
		return nil, fmt.Errorf("%q, encrypted: %w; seen %v", text, err, seen)
	}
	return evt, nil
}
