package discovery

import (
	"context"
	"crypto/tls"
	"encoding/json/v2"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Lifetimes of what /.well-known/matrix/server says: "Servers should respect the cache control
// headers present on the response, or use a sensible default when headers are not present. The
// recommended sensible default is 24 hours. Servers should additionally impose a maximum cache
// time for responses: 48 hours is recommended. Errors are recommended to be cached for up to an
// hour, and servers are encouraged to exponentially back off for repeated failures."
const (
	lifetimeDefault = 24 * time.Hour
	lifetimeMax     = 48 * time.Hour
	lifetimeMin     = 5 * time.Minute
	errLifetimeMin  = time.Minute
	errLifetimeMax  = time.Hour

	wellKnownMax = 50 << 10
	redirectsMax = 5
)

func (f *Finder) newClient() *http.Client {
	return &http.Client{
		Timeout: f.o.Timeout,
		// No keep-alive: each server is asked once a day.
		Transport: &http.Transport{DialContext: f.o.Dial, DisableKeepAlives: true, TLSHandshakeTimeout: f.o.Timeout,
			TLSClientConfig: &tls.Config{RootCAs: f.o.RootCAs, MinVersion: tls.VersionTLS12}, MaxResponseHeaderBytes: 64 << 10},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > redirectsMax {
				return fmt.Errorf("more than %d redirects", redirectsMax)
			}
			if r.URL.Scheme != "https" {
				return errors.New("a redirect away from https")
			}
			return nil
		},
	}
}

// refresh asks for .well-known again if it is time to.
func (f *Finder) refresh(ctx context.Context, name string, was *entry) *entry {
	now := f.o.Now()
	e := &entry{}
	if was != nil {
		*e = *was
		if now.Before(e.wellKnown) {
			return e
		}
	}
	delegate, lifetime, err := f.fetch(ctx, name)
	if err == nil {
		return &entry{delegate: delegate, wellKnown: now.Add(lifetime), trusted: now.Add(lifetimeMax)}
	}
	f.o.Log.Debug("no delegation by .well-known", "server", name, "err", err)
	e.failures++
	e.wellKnown = now.Add(min(errLifetimeMin<<min(e.failures-1, 10), errLifetimeMax))
	// A server whose .well-known fails for a while has not moved. But "if the response is invalid
	// [...] skip to step 4" holds once what it said is as old as may be.
	if now.After(e.trusted) {
		e.delegate = ""
	}
	return e
}

// fetch asks a host where its server is.
func (f *Finder) fetch(ctx context.Context, host string) (delegate string, lifetime time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+host+"/.well-known/matrix/server", nil)
	if err != nil {
		return "", 0, err
	}
	req.Header.Set("User-Agent", "Landbridge")
	resp, err := f.client.Do(req)
	if err != nil {
		return "", 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", 0, fmt.Errorf("status %d", resp.StatusCode)
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, wellKnownMax+1))
	if err != nil {
		return "", 0, err
	}
	if len(raw) > wellKnownMax {
		return "", 0, fmt.Errorf("more than %d bytes", wellKnownMax)
	}
	delegate, err = parseWellKnown(raw)
	return delegate, cacheLifetime(resp.Header, f.o.Now()), err
}

func parseWellKnown(raw []byte) (string, error) {
	var body struct {
		Server string `json:"m.server"`
	}
	if err := json.Unmarshal(raw, &body); err != nil {
		return "", err
	}
	if _, err := ParseName(body.Server); err != nil {
		return "", fmt.Errorf("m.server: %w", err)
	}
	return body.Server, nil
}

// cacheLifetime reads Cache-Control and Expires (RFC 9111) into the bounds above.
func cacheLifetime(h http.Header, now time.Time) time.Duration {
	lifetime := lifetimeDefault
	if at, err := http.ParseTime(h.Get("Expires")); err == nil {
		if sent, err := http.ParseTime(h.Get("Date")); err == nil {
			now = sent
		}
		lifetime = at.Sub(now)
	} else if h.Get("Expires") != "" {
		lifetime = 0 // "an invalid date, especially 0, means already expired"
	}
	for directive := range strings.SplitSeq(strings.Join(h.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(directive)), "=")
		switch name {
		case "max-age":
			if n, err := strconv.ParseInt(strings.Trim(value, `"`), 10, 64); err == nil && n >= 0 {
				lifetime = time.Duration(min(n, int64(lifetimeMax/time.Second))) * time.Second
			}
		case "no-store", "no-cache":
			return lifetimeMin
		}
	}
	return max(min(lifetime, lifetimeMax), lifetimeMin)
}
