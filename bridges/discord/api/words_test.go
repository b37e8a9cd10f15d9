package api

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestMistakes: an error names the fields that were wrong.
func TestMistakes(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"code": 50035, "message": "Invalid Form Body", "errors": {"name": {"_errors": [{"code": "X", "message": "is too long"}]},
			"options": {"1": {"type": {"_errors": [{"message": "is none"}, {"message": "is odd"}]}}}}}`: "Invalid Form Body: name: is too long; options.1.type: is none; options.1.type: is odd",
		`{"code": 5, "message": "No"}`:                            "(code 5): No",
		`{"code": 5, "message": "No", "errors": ["a", 3]}`:        "(code 5): No",
		`{"code": 5, "message": "No", "errors": {"_errors": {}}}`: "(code 5): No",
		`no JSON`: "400 (code 0): Bad Request",
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(body))
		}))
		t.Cleanup(server.Close)
		c, err := New(Options{Token: "t", APIURL: server.URL})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Do(t.Context(), "POST", "/x", "", nil, nil); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("the error is %v, want one that ends with %q", err, want)
		}
	}
}

// lines is a log that ends a test when it says some words.
type lines struct {
	words string
	found chan<- string
}

func (l lines) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(l.words)) {
		select {
		case l.found <- string(p):
		default:
		}
	}
	return len(p), nil
}

// TestNoGateway: where a gateway should be and something else is, the log says where, and what that says.
func TestNoGateway(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("A web page"))
	}))
	t.Cleanup(server.Close)
	address := "ws" + strings.TrimPrefix(server.URL, "http")
	found := make(chan string, 1)
	c, err := New(Options{
		Token: "t", APIURL: server.URL, GatewayURL: address, BackoffMin: time.Millisecond, BackoffMax: time.Millisecond,
		Log: slog.New(slog.NewTextHandler(lines{"has ended", found}, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = c.Run(ctx, func(Event) {})
	}()
	line := <-found
	cancel()
	<-done
	if !strings.Contains(line, address+" answers 200 OK and is no gateway") {
		t.Errorf("the log says %s", line)
	}
}
