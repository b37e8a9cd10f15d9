package clients

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/homeserver/mail/mailtest"
)

// mailbox takes the server's e-mail, and shows scripts the messages: GET /N is the one after N others, 404 while it has
// not come. config is what the server has to know.
func mailbox(t *testing.T) (url, config string) {
	t.Helper()
	box := mailtest.Start(t, mailtest.Options{Plain: true})
	shown := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/"))
		if err != nil || n < 0 || n >= box.Count() {
			http.NotFound(w, r)
			return
		}
		m := box.Next(n)
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]string{"to": m.To, "subject": m.Subject, "text": m.Text}) // the script may have ended
	}))
	t.Cleanup(shown.Close)
	return shown.URL, fmt.Sprintf("mail: {server: %q, security: none, from: \"noreply@test\"}\n", box.Address())
}
