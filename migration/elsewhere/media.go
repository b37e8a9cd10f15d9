package elsewhere

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"

	"github.com/landbridge-im/landbridge/homeserver/importer/wire"
)

// HaveMedia implements run.Target.
func (t *Target) HaveMedia(ctx context.Context, q wire.HaveMedia) (out wire.MediaHad, err error) {
	out.Have, out.URIs = []string{}, map[string]string{}
	for _, id := range q.IDs {
		uri, err := t.ledger.text(ctx, "SELECT uri FROM media WHERE id=?", id)
		if err != nil {
			return out, err
		}
		if uri != "" {
			out.Have = append(out.Have, id)
			out.URIs[id] = uri
		}
	}
	return out, nil
}

// PutMedia implements run.Target. The homeserver finds the name of its file itself. It is kept in a file here first: homeservers
// want to know the length before.
func (t *Target) PutMedia(ctx context.Context, id, owner, name, mime string, body io.Reader) (out wire.MediaMade, err error) {
	if out.URI, err = t.ledger.text(ctx, "SELECT uri FROM media WHERE id=?", id); err != nil || out.URI != "" {
		return out, err
	}
	f, err := os.CreateTemp("", "landbridge-*")
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	size, err := io.Copy(f, body)
	if err != nil {
		return out, err
	}
	var made struct {
		URI string `json:"content_uri"`
	}
	if mime == "" {
		mime = "application/octet-stream"
	}
	err = t.ask(ctx, request{method: http.MethodPost, path: "/_matrix/media/v3/upload", query: url.Values{"filename": {name}}, user: owner, body: f, size: size, mime: mime}, &made)
	if err != nil {
		return out, err
	}
	if made.URI == "" {
		return out, fmt.Errorf("the homeserver does not say where it has the file")
	}
	out.URI, out.Fresh = made.URI, true
	return out, t.ledger.exec(ctx, "INSERT INTO media VALUES (?, ?) ON CONFLICT DO NOTHING", id, made.URI)
}
