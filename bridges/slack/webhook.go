package slack

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// webhook receives events over HTTP, Slack's Events API.
type webhook struct {
	// secrets are those of which one proves that a request is Slack's.
	secrets func() []string
	// to finds who takes a workspace's events; nil if nobody does yet.
	to      func(team string) receiver
	command func(context.Context, commandForm) string
	log     *slog.Logger
	now     func() time.Time
}

var _ http.Handler = (*webhook)(nil)

// authorizations say for which installations of the app an event is.
type authorizations []struct {
	Team string `json:"team_id"`
}

// team is the workspace that is told of an event. Where the event has happened may be another one, with which a channel is
// shared.
func (a authorizations) team(where string) string {
	if len(a) > 0 && a[0].Team != "" {
		return a[0].Team
	}
	return where
}

var (
	errSignature = errors.New("the signature is wrong")
	errStale     = errors.New("the request is too old, or the clock is wrong")
)

// maxSkew is how old a signed request may be. Slack, "Verifying requests from Slack":
// "If the timestamp is more than five minutes from local time, it could be a replay
// attack".
const maxSkew = 5 * time.Minute

// verify checks that a request is Slack's: X-Slack-Signature is "v0=" and the
// HMAC-SHA256 of "v0:timestamp:body".
func (h *webhook) verify(r *http.Request, body []byte) error {
	stamp := r.Header.Get("X-Slack-Request-Timestamp")
	sec, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return errSignature
	}
	good := false
	for _, secret := range h.secrets() {
		mac := hmac.New(sha256.New, []byte(secret))
		fmt.Fprintf(mac, "v0:%s:%s", stamp, body)
		want := "v0=" + hex.EncodeToString(mac.Sum(nil))
		good = good || hmac.Equal([]byte(want), []byte(r.Header.Get("X-Slack-Signature")))
	}
	if !good {
		return errSignature
	}
	if age := h.now().Sub(time.Unix(sec, 0)); age > maxSkew || age < -maxSkew {
		return errStale
	}
	return nil
}

// ServeHTTP implements http.Handler. It answers 200 when the event is stored.
func (h *webhook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		http.Error(w, "events come by POST", http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxEvent))
	if err != nil {
		http.Error(w, "the request cannot be read", http.StatusRequestEntityTooLarge)
		return
	}
	if err := h.verify(r, body); err != nil {
		h.log.Warn("a request that is not Slack's was refused", "error", err)
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		h.serveCommand(w, r, string(body))
		return
	}
	var m struct {
		Team      string          `json:"team_id"`
		Type      string          `json:"type"`
		Challenge string          `json:"challenge"`
		EventID   string          `json:"event_id"`
		Event     json.RawMessage `json:"event"`
		Auth      authorizations  `json:"authorizations"`
	}
	if err := lenient(body, &m); err != nil {
		http.Error(w, "the request is no JSON", http.StatusBadRequest)
		return
	}
	switch m.Type {
	case "url_verification":
		w.Header().Set("Content-Type", "text/plain")
		io.WriteString(w, m.Challenge)
	case "event_callback":
		if m.EventID == "" || len(m.Event) == 0 {
			http.Error(w, "the event has no id or content", http.StatusBadRequest)
			return
		}
		team := m.Auth.team(m.Team)
		to := h.to(team)
		if to == nil {
			h.log.Warn("an event is of a workspace that is not bridged or not connected yet", "team", team)
			http.Error(w, "try again", http.StatusServiceUnavailable)
			return
		}
		if err := to.receive(r.Context(), team, m.EventID, m.Event); err != nil {
			h.log.Error("an event is not stored", "error", err)
			http.Error(w, "try again", http.StatusServiceUnavailable)
		}
	default: // app_rate_limited and what is still to come
		h.log.Warn("Slack sent something unexpected", "type", m.Type)
	}
}
