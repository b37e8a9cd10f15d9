package irc

import (
	"context"
	"crypto/rand"
	"database/sql"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/bridges/irc/format"
)

// A message that is too long for IRC is told by its beginning and the address of a page that has all of it. The page
// goes when the message is deleted.

// page is what is kept of such a message.
type page struct {
	ID      string
	Event   id.EventID
	Network string
	Channel string
	Name    string
	Text    string
	At      time.Time
}

// pageHost is a Matrix connector that can serve pages to everybody.
type pageHost interface {
	GetPublicAddress() string
	GetRouter() *http.ServeMux
}

const pagePath = "/irc/message/"

// maxPage is the longest text of a page, in bytes: that of an event, and a half of it for markup.
const maxPage = 96 << 10

// servePages has the pages served, if there is an address for them.
func (b *Bridge) servePages() {
	host, ok := b.br.Matrix.(pageHost)
	if !ok || host.GetPublicAddress() == "" || host.GetRouter() == nil {
		return
	}
	b.pages = strings.TrimSuffix(host.GetPublicAddress(), "/") + pagePath
	host.GetRouter().HandleFunc("GET "+pagePath+"{id}", b.servePage)
}

//go:embed page.html
var pageSource string

var pageTemplate = template.Must(template.New("page").Parse(pageSource))

func (b *Bridge) servePage(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	h.Set("X-Robots-Tag", "noindex")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	p, err := b.store.page(r.Context(), r.PathValue("id"))
	switch {
	case err != nil:
		b.log.Error("a page of a long message cannot be shown", "error", err)
		http.Error(w, "The message cannot be shown at the moment.", http.StatusInternalServerError)
		return
	case p == nil:
		w.WriteHeader(http.StatusNotFound)
		_ = pageTemplate.Execute(w, nil)
		return
	}
	_ = pageTemplate.Execute(w, p) // who has gone needs no answer
}

// shorten makes the lines of a message as many as may be said: those that there are, or the first and the address of a
// page with all of them.
func (n *network) shorten(ctx context.Context, to *target, evt *event.Event, name string, lines []string) ([]string, error) {
	if n.fits(to, lines) {
		return lines, nil
	}
	var all strings.Builder
	for _, line := range lines {
		all.WriteString(format.Plain(line) + "\n")
	}
	text := strings.TrimRight(all.String(), "\n")
	if n.b.pages == "" || len(text) > maxPage {
		if len(lines) > maxLines {
			return nil, fmt.Errorf("%w: it has %d lines, and %d are the most", errTooLong, len(lines), maxLines)
		}
		return lines, nil
	}
	var random [12]byte
	_, _ = rand.Read(random[:])
	p := &page{
		ID: base64.RawURLEncoding.EncodeToString(random[:]), Event: evt.ID, Network: n.cfg.Name, Channel: to.name,
		Name: relayName(name, string(evt.Sender)), Text: text, At: eventTime(evt),
	}
	if known, err := n.b.store.pageOf(ctx, evt.ID); err == nil && known != "" {
		p.ID = known // the event has come again
	} else if err := n.b.store.putPage(ctx, p); err != nil {
		return nil, err
	}
	first := []rune(strings.TrimSpace(format.Plain(lines[0])))
	if len(first) > 200 {
		first = first[:200]
	}
	what := "the whole message"
	if count := strings.Count(text, "\n") + 1; count > 1 {
		what = fmt.Sprintf("all %d lines", count)
	}
	return []string{fmt.Sprintf("%s… (%s: %s)", string(first), what, n.b.pages+p.ID)}, nil
}

// fits reports whether lines may be said as they are.
func (n *network) fits(to *target, lines []string) bool {
	most := n.cfg.LongMessage
	if most == 0 {
		most = maxLines
	}
	limit := to.box.session.MaxText("PRIVMSG", to.name) - 60
	count, bytes := 0, 0
	for _, line := range lines {
		count += (len(line) + limit - 1) / limit
		bytes += len(line) + 1
	}
	if count <= most {
		return true
	}
	maxBytes, maxCount := to.box.session.Multiline()
	return count < maxCount && bytes+100 < maxBytes && (to.puppet != nil || !n.cfg.RelayMsg || to.box.session.RelaySeparator() == "")
}

// forgetPage takes the page of a message away that was deleted.
func (n *network) forgetPage(ctx context.Context, event id.EventID) {
	if err := n.b.store.dropPage(ctx, event); err != nil {
		n.log.Error("the page of a deleted message is still there", "error", err)
	}
}

// putPage stores a page.
func (s *store) putPage(ctx context.Context, p *page) error {
	_, err := s.db.Exec(ctx, `INSERT INTO irc_page (bridge_id, id, event_id, network, channel, name, text, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, s.bridge, p.ID, p.Event, p.Network, p.Channel, p.Name, p.Text, p.At.UnixMilli())
	if err != nil {
		return fmt.Errorf("store the page of a long message: %w", err)
	}
	return nil
}

// page returns a page, or nil.
func (s *store) page(ctx context.Context, key string) (*page, error) {
	p := page{ID: key}
	if len(key) > 64 || !utf8.ValidString(key) {
		return nil, nil
	}
	var at int64
	err := s.db.QueryRow(ctx, "SELECT event_id, network, channel, name, text, created_at FROM irc_page WHERE bridge_id=$1 AND id=$2", s.bridge, key).
		Scan(&p.Event, &p.Network, &p.Channel, &p.Name, &p.Text, &at)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	p.At = time.UnixMilli(at).UTC()
	return &p, err
}

// pageOf returns the id of an event's page, or "".
func (s *store) pageOf(ctx context.Context, event id.EventID) (key string, err error) {
	err = s.db.QueryRow(ctx, "SELECT id FROM irc_page WHERE bridge_id=$1 AND event_id=$2", s.bridge, event).Scan(&key)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return key, err
}

// dropPage forgets the page of an event.
func (s *store) dropPage(ctx context.Context, event id.EventID) error {
	_, err := s.db.Exec(ctx, "DELETE FROM irc_page WHERE bridge_id=$1 AND event_id=$2", s.bridge, event)
	return err
}

var _ pageHost = (bridgev2.MatrixConnectorWithServer)(nil)
