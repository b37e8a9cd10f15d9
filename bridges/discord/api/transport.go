package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

// transport sends discordgo's requests to the configured API, and has discordgo understand what is said of limits.
type transport struct {
	base *url.URL
	next http.RoundTripper
}

// prefix is what discordgo's addresses of the API begin with.
const prefix = "/api/v" + discordgoVersion

// discordgoVersion is discordgo.APIVersion at the version that is built in.
const discordgoVersion = "9"

// apiVersion is the version of the gateway that is asked for.
const apiVersion = "10"

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != "discord.com" || !strings.HasPrefix(r.URL.Path, prefix+"/") {
		return t.next.RoundTrip(r)
	}
	out := r.Clone(r.Context())
	out.URL.Scheme, out.URL.Host, out.Host = t.base.Scheme, t.base.Host, ""
	out.URL.Path = t.base.Path + strings.TrimPrefix(r.URL.Path, prefix)
	if r.URL.RawPath != "" {
		out.URL.RawPath = t.base.EscapedPath() + strings.TrimPrefix(r.URL.RawPath, prefix)
	}
	res, err := t.next.RoundTrip(out)
	if err != nil {
		return nil, err
	}
	if err := plainLimits(res); err != nil {
		return nil, err
	}
	return res, nil
}

// Headers that say what a limit of rates is. Discord: "Rate Limits", "Header Format".
const (
	headerRemaining  = "X-RateLimit-Remaining"
	headerReset      = "X-RateLimit-Reset"
	headerResetAfter = "X-RateLimit-Reset-After"
	headerGlobal     = "X-RateLimit-Global"
	headerScope      = "X-RateLimit-Scope"
)

// maxLimited bounds what is read of an answer that says that a limit is reached, in bytes.
const maxLimited = 1 << 20

// plainLimits changes what an answer says of limits into the form that discordgo reads. A header that is no number would
// fail the request, though it may have succeeded; an answer 429 that is no JSON, as those of the network before the API
// are, would not be known as one; and a limit of the whole bot would be taken for one of the bucket.
func plainLimits(res *http.Response) error {
	h := res.Header
	for _, name := range []string{headerRemaining, headerResetAfter, headerReset} {
		if v := h.Get(name); v != "" && !isNumber(v, name == headerRemaining) {
			h.Del(name)
		}
	}
	if _, err := http.ParseTime(h.Get("Date")); err != nil {
		h.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	}
	if res.StatusCode != http.StatusTooManyRequests {
		return nil
	}
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxLimited))
	if closed := res.Body.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("read what a limit is: %w", err)
	}
	var said struct {
		Message string          `json:"message"`
		After   json.RawMessage `json:"retry_after"`
		Global  json.RawMessage `json:"global"`
	}
	_ = wire.Decode(raw, &said) // it may be a page for people
	after, err := strconv.ParseFloat(strings.Trim(string(said.After), `" `), 64)
	if err != nil || !(after >= 0) {
		if after, err = strconv.ParseFloat(h.Get("Retry-After"), 64); err != nil || !(after >= 0) {
			after = defaultRetry.Seconds()
		}
	}
	after = min(after, maxRateWait.Seconds())
	if strings.Trim(string(said.Global), `" `) == "true" || h.Get(headerGlobal) != "" || h.Get(headerScope) == "global" {
		h.Set(headerGlobal, "true") // all buckets wait
	}
	h.Set(headerRemaining, "0")
	h.Set(headerResetAfter, strconv.FormatFloat(after, 'f', 3, 64))
	plain, err := json.Marshal(map[string]any{"message": said.Message, "retry_after": after})
	if err != nil {
		return fmt.Errorf("read what a limit is: %w", err)
	}
	res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(plain)), int64(len(plain))
	return nil
}

// defaultRetry is how long is waited when Discord does not say how long.
const defaultRetry = 5 * time.Second

// isNumber reports whether a header is a number that discordgo can read.
func isNumber(v string, whole bool) bool {
	if whole {
		_, err := strconv.ParseInt(v, 10, 32)
		return err == nil
	}
	f, err := strconv.ParseFloat(v, 64)
	return err == nil && f >= 0 && f < 1<<40
}
