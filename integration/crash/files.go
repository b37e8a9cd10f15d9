package crash

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/landbridge-im/landbridge/integration/client"
	"github.com/landbridge-im/landbridge/integration/testserver"
)

// files is a client that uploads files one after the other.
type files struct {
	*client.Client
	server *testserver.Server
	// acked are the files that the server acknowledged, and fresh those since the last check.
	acked, fresh []file
}

// file is an uploaded file: the path of its address, and what it must hold.
type file struct {
	path string
	hash [sha256.Size]byte
}

func (f *files) prepare(ctx context.Context, s *testserver.Server) (err error) {
	f.server = s
	f.Client, err = (&client.Client{URL: s.URL()}).Register(ctx, "uploader")
	return err
}

func (f *files) run(ctx context.Context, rng *rand.Rand) error {
	for ctx.Err() == nil {
		body := make([]byte, rng.IntN(1<<20))
		for i := 0; i < len(body); i += 64 {
			body[i] = byte(rng.Uint32())
		}
		status, answer, err := f.Raw(ctx, http.MethodPost, "/_matrix/media/v3/upload", nil, body)
		if err != nil {
			return nil // the server is gone
		}
		var out struct {
			URI string `json:"content_uri"`
		}
		if err := json.Unmarshal(answer, &out); err != nil || status != http.StatusOK {
			return fmt.Errorf("upload: %d %s", status, answer)
		}
		f.fresh = append(f.fresh, file{strings.TrimPrefix(out.URI, "mxc:/"), sha256.Sum256(body)})
	}
	return nil
}

// settle: what was acknowledged is there, and of what was not, nothing is left under way.
func (f *files) settle(ctx context.Context) error {
	left, err := os.ReadDir(filepath.Join(f.server.DataDir(), "media", "tmp"))
	if err != nil {
		return err
	}
	if len(left) > 0 {
		return fmt.Errorf("%d uploads that were broken off are left on the disk", len(left))
	}
	if err := f.check(ctx, f.fresh); err != nil {
		return err
	}
	f.acked, f.fresh = append(f.acked, f.fresh...), nil
	return nil
}

func (f *files) finish(ctx context.Context) error { return f.check(ctx, f.acked) }

func (f *files) check(ctx context.Context, list []file) error {
	for _, x := range list {
		status, body, err := f.Raw(ctx, http.MethodGet, "/_matrix/client/v1/media/download"+x.path, nil, nil)
		if err != nil {
			return err
		}
		if sum := sha256.Sum256(body); status != http.StatusOK || !bytes.Equal(sum[:], x.hash[:]) {
			return fmt.Errorf("%s was acknowledged, and now it is %d with %d bytes", x.path, status, len(body))
		}
	}
	return nil
}

var _ source = (*files)(nil)
