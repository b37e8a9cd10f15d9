package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/tidwall/gjson"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/federation/keyring"
	"github.com/landbridge-im/landbridge/homeserver/federation/xmatrix"
	"github.com/landbridge-im/landbridge/integration/ca"
)

// roomVersion is that of the rooms that are shared.
const roomVersion = event.Version("12")

// federationFolder prepares what a group with other servers needs, and gives the server's configuration for it.
func (b *bench) federationFolder(dir string) (config string, err error) {
	if b.ca, err = ca.New(); err != nil {
		return "", err
	}
	file := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(file, b.ca.PEM(), 0o600); err != nil {
		return "", err
	}
	return fmt.Sprintf("federation: {enabled: true, allow_loopback: true, extra_ca: %q}\n", file), nil
}

// peers are simulated servers in this process.
type peers struct {
	b    *bench
	conf *tls.Config
	http *http.Client
	wg   sync.WaitGroup
	all  []*peer
}

// peer is one of them: it has a key, takes in what is sent to it, and may have a room.
type peer struct {
	of     *peers
	name   string
	own    *keyring.Own
	server *http.Server
	hosted *hosted
	// got is told of each event that is sent here.
	got func(p *peer, pdus []gjson.Result)
}

// newPeers makes n servers.
func (b *bench) newPeers(n int) (*peers, error) {
	ps := &peers{b: b, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
	var err error
	if ps.conf, err = b.ca.TLS(); err != nil {
		return nil, err
	}
	for range n {
		if err := ps.add(); err != nil {
			ps.close()
			return nil, err
		}
	}
	return ps, nil
}

func (ps *peers) add() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	p := &peer{of: ps, name: l.Addr().String()}
	p.own = &keyring.Own{Server: p.name, Signing: []event.Signer{{Server: p.name, KeyID: "ed25519:1", Key: key}}}
	p.server = &http.Server{Handler: p, ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: time.Minute}
	ps.wg.Go(func() { _ = p.server.Serve(tls.NewListener(l, ps.conf)) }) // it ends by close
	ps.all = append(ps.all, p)
	return nil
}

func (ps *peers) close() {
	for _, p := range ps.all {
		p.server.Close()
	}
	ps.wg.Wait()
	ps.http.CloseIdleConnections()
}

func (p *peer) signer() event.Signer { return p.own.Signing[0] }

func (p *peer) user(name string) string { return "@" + name + ":" + p.name }

// ServeHTTP answers the server that is measured. It believes whoever asks.
func (p *peer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	switch {
	case path == "/_matrix/key/v2/server":
		raw, err := p.own.Response(time.Now())
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_, _ = w.Write(raw)
	case strings.HasPrefix(path, "/_matrix/federation/v1/send/"):
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		if p.got != nil {
			p.got(p, gjson.GetBytes(body, "pdus").Array())
		}
		_, _ = io.WriteString(w, `{"pdus":{}}`)
	case p.hosted != nil && p.hosted.serve(w, r):
	default:
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"errcode":"M_NOT_FOUND","error":"There is nothing here."}`)
	}
}

// errBusy: the server that is measured has enough to do.
type errBusy struct{ error }

// call makes a signed request of the server that is measured.
func (p *peer) call(ctx context.Context, method, target string, body []byte) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, p.of.b.URL()+target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if err := xmatrix.Sign(r, body, p.signer(), p.of.b.Name()); err != nil {
		return nil, err
	}
	res, err := p.of.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	out, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %d %s", method, target, res.StatusCode, out[:min(len(out), 300)])
		if res.StatusCode == http.StatusTooManyRequests {
			err = errBusy{err}
		}
	}
	return out, err
}

// join lets a user of the peer join a room of the server that is measured.
func (p *peer) join(ctx context.Context, room, user string) (*event.Event, error) {
	raw, err := p.call(ctx, http.MethodGet, "/_matrix/federation/v1/make_join/"+url.PathEscape(room)+"/"+url.PathEscape(user)+"?ver="+string(roomVersion), nil)
	if err != nil {
		return nil, err
	}
	proto := event.Proto{Version: roomVersion, RoomID: room, Type: "m.room.member", Sender: user, StateKey: &user,
		Content: []byte(`{"membership":"join"}`), TS: time.Now().UnixMilli(), Depth: gjson.GetBytes(raw, "event.depth").Int()}
	for _, x := range gjson.GetBytes(raw, "event.prev_events").Array() {
		proto.Prev = append(proto.Prev, x.Str)
	}
	for _, x := range gjson.GetBytes(raw, "event.auth_events").Array() {
		proto.Auth = append(proto.Auth, x.Str)
	}
	e, err := event.Build(proto, p.signer())
	if err != nil {
		return nil, err
	}
	body, err := e.JSON()
	if err != nil {
		return nil, err
	}
	_, err = p.call(ctx, http.MethodPut, "/_matrix/federation/v2/send_join/"+url.PathEscape(room)+"/"+url.PathEscape(e.ID)+"?omit_members=true", body)
	return e, err
}

// transaction is the body of PUT /send.
func (p *peer) transaction(events []json.RawMessage) ([]byte, error) {
	return json.Marshal(map[string]any{"origin": p.name, "origin_server_ts": time.Now().UnixMilli(), "pdus": events})
}
