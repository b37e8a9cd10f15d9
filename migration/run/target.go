package run

import (
	"bytes"
	"context"
	"encoding/json/v2"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/landbridge-im/landbridge/homeserver/importer/wire"
)

// Target is a server that history is brought into. It is safe for concurrent use.
type Target interface {
	Open(ctx context.Context) (wire.Opened, error)
	People(ctx context.Context, q wire.People) (wire.PeopleMade, error)
	Room(ctx context.Context, q wire.Room) (wire.RoomMade, error)
	Batch(ctx context.Context, q wire.Batch) (wire.BatchDone, error)
	HaveMedia(ctx context.Context, q wire.HaveMedia) (wire.MediaHad, error)
	// PutMedia stores a file under an id that the caller has made, unless it is there.
	PutMedia(ctx context.Context, id, owner, name, mime string, body io.Reader) (wire.MediaMade, error)
}

// Speaker is a Target that can't say things as everybody. Who can't be spoken for is asked into the rooms instead; what they
// said is said by their ghost.
type Speaker interface {
	MaySpeak(userID string) bool
}

// maySpeak tells whether things can be said here as a user. It is known once the target is open.
func (r *Runner) maySpeak(userID string) bool {
	s, ok := r.o.Target.(Speaker)
	return !ok || s.MaySpeak(userID)
}

// Console is a Target: our own server, over the socket of its console.
type Console struct {
	Client *http.Client
}

var _ Target = (*Console)(nil)

// ErrUnreachable says that a Target has not answered; what it was asked for may be done or not. All it is asked for can be
// asked again.
var ErrUnreachable = errors.New("the server does not answer")

// maxAnswer bounds an answer of the server.
const maxAnswer = 256 << 20

// Do asks the importer and reads the answer into out.
func (c *Console) Do(ctx context.Context, verb string, in, out any) error {
	raw, err := json.Marshal(in)
	if err != nil {
		return err
	}
	return c.post(ctx, "/import/"+verb, "application/json", bytes.NewReader(raw), out)
}

func (c *Console) post(ctx context.Context, path, mime string, body io.Reader, out any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://console"+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", mime)
	res, err := c.Client.Do(req)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("%w to the end: %w", ErrUnreachable, err)
	}
	if res.StatusCode != http.StatusOK {
		var f struct {
			Error string `json:"error"`
		}
		if json.Unmarshal(raw, &f) != nil || f.Error == "" {
			f.Error = res.Status
		}
		return fmt.Errorf("the server: %s", f.Error)
	}
	return json.Unmarshal(raw, out)
}

// Open implements Target.
func (c *Console) Open(ctx context.Context) (out wire.Opened, err error) {
	return out, c.Do(ctx, "open", struct{}{}, &out)
}

// People implements Target.
func (c *Console) People(ctx context.Context, q wire.People) (out wire.PeopleMade, err error) {
	return out, c.Do(ctx, "people", q, &out)
}

// Room implements Target.
func (c *Console) Room(ctx context.Context, q wire.Room) (out wire.RoomMade, err error) {
	return out, c.Do(ctx, "room", q, &out)
}

// Batch implements Target.
func (c *Console) Batch(ctx context.Context, q wire.Batch) (out wire.BatchDone, err error) {
	return out, c.Do(ctx, "batch", q, &out)
}

// HaveMedia implements Target.
func (c *Console) HaveMedia(ctx context.Context, q wire.HaveMedia) (out wire.MediaHad, err error) {
	return out, c.Do(ctx, "media/have", q, &out)
}

// PutMedia implements Target.
func (c *Console) PutMedia(ctx context.Context, id, owner, name, mime string, body io.Reader) (out wire.MediaMade, err error) {
	q := url.Values{"id": {id}, "owner": {owner}, "name": {name}}
	return out, c.post(ctx, "/import/media?"+q.Encode(), mime, body, &out)
}
