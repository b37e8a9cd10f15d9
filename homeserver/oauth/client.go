package oauth

import (
	"context"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Clients that nobody is logged in with are forgotten after a while, and the oldest of them when
// there are many: "the server MAY choose to delete client registrations that don't have an active
// session". They may come again, and get the same id.
const (
	clientLife = 30 * 24 * time.Hour
	clientsMax = 10000
)

// client is a registered client.
type client struct {
	ID string
	clientMetadata
}

// register is the registration endpoint: RFC 7591, section 3.
func (p *Provider) register(w http.ResponseWriter, r *http.Request) error {
	if err := p.o.Client().Stranger(r); err != nil {
		return err
	}
	raw, err := readBody(w, r, metadataMax)
	if err != nil {
		return err
	}
	m, err := parseMetadata(raw)
	if err != nil {
		return err
	}
	stored, err := json.Marshal(m, json.Deterministic(true))
	if err != nil {
		return fmt.Errorf("writing a client's metadata: %w", err)
	}
	canonical := jsontext.Value(stored)
	if err := canonical.Canonicalize(); err != nil {
		return fmt.Errorf("writing a client's metadata: %w", err)
	}
	id, now := m.id(canonical), p.o.Now()
	var since int64
	err = p.o.Store.Write(r.Context(), func(t *store.Tx) error {
		fresh, err := t.PutOAuthClient(store.OAuthClient{ID: id, Metadata: string(canonical), UsedTS: now.UnixMilli()})
		if err != nil {
			return err
		}
		if fresh {
			if err := t.TrimOAuthClients(now.Add(-clientLife).UnixMilli(), clientsMax); err != nil {
				return err
			}
		}
		c, err := t.OAuthClient(id)
		since = c.CreatedTS
		return err
	})
	if err != nil {
		return fmt.Errorf("registering a client: %w", err)
	}
	var out map[string]any
	if err := json.Unmarshal(canonical, &out); err != nil {
		return fmt.Errorf("reading a client's metadata: %w", err)
	}
	out["client_id"], out["client_id_issued_at"] = id, since/1000
	return sendJSON(w, http.StatusCreated, out)
}

// errNoClient says that a client is not registered.
var errNoClient = &protocolError{http.StatusUnauthorized, "invalid_client", "This client is not registered here, or not any more. It has to register first."}

// client finds a registered client; errNoClient if there is none such.
func (p *Provider) client(ctx context.Context, id string) (*client, error) {
	if id == "" {
		return nil, bad("invalid_request", "client_id is missing.")
	}
	if len(id) > 64 {
		return nil, errNoClient
	}
	c, err := p.o.Store.OAuthClient(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, errNoClient
	}
	if err != nil {
		return nil, fmt.Errorf("finding a client: %w", err)
	}
	return readClient(c)
}

func readClient(c store.OAuthClient) (*client, error) {
	out := &client{ID: c.ID}
	if err := json.Unmarshal([]byte(c.Metadata), &out.clientMetadata); err != nil {
		return nil, fmt.Errorf("reading the metadata of client %s: %w", c.ID, err)
	}
	return out, nil
}

// may tells whether the client registered a grant type.
func (c *client) may(grant string) bool { return slices.Contains(c.GrantTypes, grant) }

// Host is the host of the client's own page, by which people know it.
func (c *client) Host() string {
	u, err := url.Parse(c.ClientURI)
	if err != nil {
		return ""
	}
	return u.Hostname()
}
