package exporter

import (
	"bytes"
	"context"
	"encoding/json/v2"
	"fmt"
	"io"
	"net/http"

	"github.com/landbridge-im/landbridge/export"
)

// Console is an Exporter that is reached by its Handler, over the console's socket.
type Console struct {
	Client *http.Client
}

var _ export.Source = (*Console)(nil)

// Server implements export.Source.
func (c *Console) Server(ctx context.Context) (name string, err error) {
	return name, c.ask(ctx, "server", Place{}, &name)
}

// Rooms implements export.Source.
func (c *Console) Rooms(ctx context.Context, after string) (out export.Rooms, err error) {
	return out, c.ask(ctx, "rooms", Place{After: after}, &out)
}

// State implements export.Source.
func (c *Console) State(ctx context.Context, room string) (out export.Events, err error) {
	return out, c.ask(ctx, "state", Place{Room: room}, &out)
}

// Members implements export.Source.
func (c *Console) Members(ctx context.Context, room, after string) (out export.Events, err error) {
	return out, c.ask(ctx, "members", Place{Room: room, After: after}, &out)
}

// Timeline implements export.Source.
func (c *Console) Timeline(ctx context.Context, room, person, after string) (out export.Timeline, err error) {
	return out, c.ask(ctx, "timeline", Place{Room: room, User: person, After: after}, &out)
}

// Person implements export.Source.
func (c *Console) Person(ctx context.Context, user string) (out export.Person, err error) {
	return out, c.ask(ctx, "person", Place{User: user}, &out)
}

// Uploads implements export.Source.
func (c *Console) Uploads(ctx context.Context, user, after string) (out export.Files, err error) {
	return out, c.ask(ctx, "uploads", Place{User: user, After: after}, &out)
}

// Open implements export.Source.
func (c *Console) Open(ctx context.Context, uri string) (f export.File, in io.ReadCloser, err error) {
	res, err := c.post(ctx, "file", Place{URI: uri})
	if err != nil {
		return f, nil, err
	}
	if err := json.Unmarshal([]byte(res.Header.Get(FileHeader)), &f); err != nil {
		res.Body.Close()
		return f, nil, fmt.Errorf("reading what a file is: %w", err)
	}
	return f, res.Body, nil
}

func (c *Console) ask(ctx context.Context, verb string, p Place, out any) error {
	res, err := c.post(ctx, verb, p)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if err := json.UnmarshalRead(res.Body, out); err != nil {
		return fmt.Errorf("reading the server's answer: %w", err)
	}
	return nil
}

// post asks, and makes an error of an answer that is one.
func (c *Console) post(ctx context.Context, verb string, p Place) (*http.Response, error) {
	raw, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://console/export/"+verb, bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	res, err := c.Client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("asking the server: %w", err)
	}
	if res.StatusCode == http.StatusOK {
		return res, nil
	}
	defer res.Body.Close()
	var f Failure
	if json.UnmarshalRead(io.LimitReader(res.Body, maxRequest), &f) != nil || f.Message == "" {
		f.Message = "the server answers " + res.Status
	}
	return nil, f.Err()
}
