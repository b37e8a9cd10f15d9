package apptest_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/landbridge-im/landbridge/app/apptest"
	"github.com/landbridge-im/landbridge/appservice/appservicetest"
)

// TestTraces: a collector gets what the server does, with no word of who and where.
func TestTraces(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	spans, parents, raw := map[string]string{}, map[string]string{}, ""
	from := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var q collector.ExportTraceServiceRequest
		if err != nil || r.URL.Path != "/v1/traces" || r.Header.Get("Authorization") != "Bearer word" || proto.Unmarshal(body, &q) != nil {
			t.Errorf("%s %s: %v", r.Method, r.URL, err)
		}
		mu.Lock()
		defer mu.Unlock()
		raw += string(body)
		for _, res := range q.ResourceSpans {
			for _, scope := range res.ScopeSpans {
				for _, s := range scope.Spans {
					spans[string(s.SpanId)] = s.Name
					parents[s.Name] = string(s.ParentSpanId)
				}
			}
		}
	}))
	t.Cleanup(from.Close)
	net := appservicetest.NewNetwork()
	s := apptest.StartWith(t, "registration: {open: true, admin_signup_token: false}\ntracing: {endpoint: "+from.URL+", authorization: Bearer word, sample: 1}",
		"  - id: echo\n    module: echo\n    config: {channels: [town]}\n", net.Module())
	alice := s.Person("alice")
	town := alice.Enter("#echo_town:" + apptest.Domain)
	alice.Tell(town, "hello")
	if _, err := net.WaitSent(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	s.Restart() // sends what is left
	mu.Lock()
	defer mu.Unlock()
	send := "PUT /_matrix/client/v3/rooms/{roomId}/send/{eventType}/{txnId}"
	for _, name := range []string{send, "write", "application service echo", "bridge event", "POST /_matrix/client/v3/register"} {
		if _, ok := parents[name]; !ok {
			t.Errorf("there is no span %q in %v", name, spans)
		}
	}
	if spans[parents["write"]] == "" {
		t.Error("a write belongs to nothing")
	}
	for _, secret := range []string{"alice", town, "#echo_town", "hello"} {
		if strings.Contains(raw, secret) {
			t.Errorf("the collector is told %q", secret)
		}
	}
}
