package admin

import (
	"context"
	"net/http"
	"strings"

	"github.com/landbridge-im/landbridge/homeserver/client"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// auditedKey marks requests whose caller writes the audit log.
type auditedKey struct{}

// Audited marks requests to the API that the caller writes into the audit log, in better words.
func Audited(ctx context.Context) context.Context { return context.WithValue(ctx, auditedKey{}, true) }

// audited writes what a request has changed into the audit log, also where it failed half-way.
func (a *Admin) audited(method, path string, h handler) handler {
	if method == http.MethodGet {
		return h
	}
	return func(c client.AdminCall) (any, error) {
		out, err := h(c)
		if c.Context().Value(auditedKey{}) != nil {
			return out, err
		}
		entry := store.Audit{TS: a.o.Now().UnixMilli(), Who: c.Session().UserID, Did: "API: " + method + " " + path}
		var to []string
		for i := range c.Params() {
			if !strings.HasSuffix(path, "registration_tokens/{token}") { // it is a secret
				to = append(to, c.Param(i))
			}
		}
		if entry.To = strings.Join(to, " "); err != nil {
			entry.Did, entry.More = entry.Did+" (failed)", err.Error()
		}
		ctx := context.WithoutCancel(c.Context())
		if werr := a.o.Store.Write(ctx, func(t *store.Tx) error { return t.AddAudit(entry) }); werr != nil {
			a.o.Log.ErrorContext(ctx, "writing the audit log", "did", entry.Did, "by", entry.Who, "err", werr)
		}
		return out, err
	}
}
