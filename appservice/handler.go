package appservice

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/landbridge-im/landbridge/appservice/store"
)

const (
	// maxTransaction bounds the body of a transaction, in bytes. A homeserver
	// sends at most a few hundred events of 64 KiB.
	maxTransaction = 64 << 20
	// maxTransactionID bounds the id of a transaction, in bytes.
	maxTransactionID = 1024
	// acceptTimeout bounds how long a homeserver waits for an answer.
	acceptTimeout = 60 * time.Second
)

// Handler is what the homeserver calls: the application service's side of the
// Application Service API for one instance. It exists whether or not the
// instance runs; while it does not, requests are answered with 503.
//
// A transaction that is answered with 200 is durable in the bridge's database:
// its events will be handled, each of them once, in the order of their rooms,
// also after a crash. See the package documentation.
func (h *Host) Handler(id string) http.Handler {
	mux := http.NewServeMux()
	s := &server{host: h, id: id}
	mux.HandleFunc("PUT /_matrix/app/v1/transactions/{txnID}", s.transaction)
	mux.HandleFunc("POST /_matrix/app/v1/ping", s.ping)
	mux.HandleFunc("GET /_matrix/app/v1/users/{userID}", s.query)
	mux.HandleFunc("GET /_matrix/app/v1/rooms/{alias}", s.queryAlias)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		respond(w, http.StatusNotFound, "M_UNRECOGNIZED", "Unrecognized endpoint")
	})
	return mux
}

// Public is what the outside world calls at Instance.PublicURL: provisioning and
// signed media, where they are enabled.
func (h *Host) Public(id string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		in, err := h.instance(id)
		if err != nil {
			respond(w, http.StatusNotFound, "M_NOT_FOUND", "There is no such bridge")
			return
		}
		run, _ := in.current()
		if run == nil {
			respond(w, http.StatusServiceUnavailable, "M_UNKNOWN", "The bridge is not running")
			return
		}
		if strings.HasPrefix(r.URL.Path, "/_matrix/app/") {
			// What the homeserver sends must go through the inbox.
			respond(w, http.StatusNotFound, "M_UNRECOGNIZED", "Unrecognized endpoint")
			return
		}
		if !h.provision(w, r, in, run) {
			run.conn.AS.Router.ServeHTTP(w, r)
		}
	})
}

type server struct {
	host *Host
	id   string
}

// respond writes an error as the Matrix specification has it.
func respond(w http.ResponseWriter, status int, errcode, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// A caller that is gone needs no answer.
	_ = json.NewEncoder(w).Encode(map[string]string{"errcode": errcode, "error": message})
}

func respondOK(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, "{}")
}

// authorize checks the homeserver's token and returns the instance.
//
// Source: Application Service API: "Homeservers MUST include an Authorization
// header, containing the hs_token from the application service's registration,
// when making requests to the application service."
func (s *server) authorize(w http.ResponseWriter, r *http.Request) *instance {
	in, err := s.host.instance(s.id)
	if err != nil {
		respond(w, http.StatusServiceUnavailable, "M_UNKNOWN", "There is no such bridge")
		return nil
	}
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		respond(w, http.StatusUnauthorized, "M_MISSING_TOKEN", "Missing access token")
		return nil
	}
	_, reg := in.current()
	if subtle.ConstantTimeCompare([]byte(token), []byte(reg.HSToken)) != 1 {
		respond(w, http.StatusForbidden, "M_FORBIDDEN", "Wrong access token: it must be the hs_token of the registration")
		return nil
	}
	return in
}

func (s *server) ping(w http.ResponseWriter, r *http.Request) {
	if s.authorize(w, r) != nil {
		respondOK(w)
	}
}

// query passes a question for a user or an alias to the bridge.
func (s *server) query(w http.ResponseWriter, r *http.Request) {
	in := s.authorize(w, r)
	if in == nil {
		return
	}
	run, _ := in.current()
	if run == nil {
		respond(w, http.StatusServiceUnavailable, "M_UNKNOWN", "The bridge is not running")
		return
	}
	run.conn.AS.Router.ServeHTTP(w, r)
}

// openTimeout bounds how long the room of an alias may take to be made: a homeserver waits not much longer.
const openTimeout = 10 * time.Second

// queryAlias has the bridge make the room of an alias, if it does such things: "The application service SHOULD
// create the queried entity if it desires."
func (s *server) queryAlias(w http.ResponseWriter, r *http.Request) {
	in := s.authorize(w, r)
	if in == nil {
		return
	}
	run, _ := in.current()
	if run == nil {
		in.unavailable(w, "The bridge is not running")
		return
	}
	in.mu.Lock()
	prefix, state := in.config.AliasPrefix, in.status.State
	in.mu.Unlock()
	if state != StateRunning {
		in.unavailable(w, "The bridge is not running yet")
		return
	}
	name, ours := strings.CutPrefix(r.PathValue("alias"), "#"+prefix)
	name, ours2 := strings.CutSuffix(name, ":"+s.host.opts.Homeserver.Domain)
	opener, can := run.bridge.(AliasOpener)
	if !ours || !ours2 || !can || name == "" {
		respond(w, http.StatusNotFound, "M_NOT_FOUND", "There is no such room")
		return
	}
	ctx, cancel := context.WithTimeout(run.ctx, openTimeout)
	defer cancel()
	made := false
	err := guard("open an alias", func() (err error) {
		made, err = opener.OpenAlias(ctx, name)
		return err
	})
	switch {
	case err != nil:
		in.metrics.failed("alias")
		in.log.Error("cannot make the room of an alias", "alias", r.PathValue("alias"), "error", err)
		respond(w, http.StatusInternalServerError, "M_UNKNOWN", "The room could not be made")
	case !made:
		respond(w, http.StatusNotFound, "M_NOT_FOUND", "There is no such room")
	default:
		respondOK(w)
	}
}

func (s *server) transaction(w http.ResponseWriter, r *http.Request) {
	in := s.authorize(w, r)
	if in == nil {
		return
	}
	txn := r.PathValue("txnID")
	if txn == "" || len(txn) > maxTransactionID {
		respond(w, http.StatusBadRequest, "M_INVALID_PARAM", fmt.Sprintf("The transaction id must have 1 to %d bytes", maxTransactionID))
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxTransaction))
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			respond(w, http.StatusRequestEntityTooLarge, "M_TOO_LARGE", fmt.Sprintf("A transaction may have %d bytes", maxTransaction))
			return
		}
		respond(w, http.StatusBadRequest, "M_NOT_JSON", "The body could not be read")
		return
	}
	stored, fleeting, err := parseTransaction(body)
	if err != nil {
		code := "M_BAD_JSON"
		if !json.Valid(body) {
			code = "M_NOT_JSON"
		}
		respond(w, http.StatusBadRequest, code, err.Error())
		return
	}
	run, _ := in.current()
	if run == nil {
		in.unavailable(w, "The bridge is not running")
		return
	}
	// Whether the caller waits or not, what has begun is brought to its end.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), acceptTimeout)
	defer cancel()
	switch err := run.take(ctx, txn, stored, fleeting); {
	case err == nil:
		respondOK(w)
	case errors.Is(err, store.ErrFull):
		in.unavailable(w, "Too many events wait to be handled")
	case errors.Is(err, store.ErrClosed):
		in.unavailable(w, "The bridge is stopping")
	default:
		in.metrics.failed("inbox")
		in.log.Error("cannot take over a transaction", "txn", txn, "error", err)
		in.unavailable(w, "The events could not be stored")
	}
}

// unavailable asks the homeserver to try again later.
func (in *instance) unavailable(w http.ResponseWriter, message string) {
	w.Header().Set("Retry-After", "1")
	respond(w, http.StatusServiceUnavailable, "M_UNKNOWN", message)
}

// transactionName tells transactions apart by their ids and by what is in them. A Synapse on SQLite numbers them from 1 again
// after some restarts; by the id alone, what it sends then would be taken for what was sent long ago, and be lost. Of events only the ids
// count: what homeservers say beside them (such as their age) differs when a transaction is sent again.
func transactionName(txn string, items []store.Item) string {
	h := sha256.New()
	for _, it := range items {
		if it.EventID != "" {
			fmt.Fprintf(h, "%d %s\n", it.Kind, it.EventID)
			continue
		}
		fmt.Fprintf(h, "%d %d ", it.Kind, len(it.Body))
		h.Write(it.Body)
	}
	return txn + " " + base64.RawStdEncoding.EncodeToString(h.Sum(nil)[:16])
}

// take takes over a transaction: when it returns nil, all of it is durable.
func (r *run) take(ctx context.Context, txn string, stored, fleeting []store.Item) error {
	// Transactions come one after the other; should they not, they must still
	// be queued in the order in which they were stored.
	r.deliver.Lock()
	defer r.deliver.Unlock()
	if r.closed {
		return store.ErrClosed
	}
	name := transactionName(txn, stored)
	stored, echoes := r.pump.echoes(stored)
	items, dup, err := r.box.Accept(ctx, name, stored)
	if err != nil || dup {
		return err
	}
	r.pump.add(items)
	r.pump.add(echoes)
	r.pump.add(fleeting)
	return nil
}
