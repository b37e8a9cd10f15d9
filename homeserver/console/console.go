package console

import (
	"context"
	"encoding/json/v2"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/accounts"
	"github.com/landbridge-im/landbridge/homeserver/claims"
	"github.com/landbridge-im/landbridge/homeserver/cutover"
	"github.com/landbridge-im/landbridge/homeserver/media"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Options say what the console works on.
type Options struct {
	Accounts *accounts.Accounts
	Store    *store.Store
	// Deactivate closes an account after its user has left all rooms.
	Deactivate func(ctx context.Context, userID string, erase bool) error
	// Import answers what is asked below /import/; see package importer.
	Import http.Handler
	Claims *claims.Claims
	Media  *media.Repo
	// Cutover ends bridges.
	Cutover *cutover.Cutover
	// Export answers what is asked below /export/; see package exporter.
	Export http.Handler
	// Server is the server's name. API does an Act; nil: there is no such command.
	Server string
	API    API
	// LastFailure tells why a call to another server failed last, and Retry has it tried again; nil where the server
	// does not run.
	LastFailure func(server string) (text string, at time.Time)
	Retry       func(ctx context.Context, server string)
	Log         *slog.Logger
}

// console serves the commands.
type console struct{ o Options }

// maxBody bounds a command: the largest is a list of people to be invited.
const maxBody = 64 << 20

// New makes the handler of the commands: each is a POST to /NOUN/VERB with a JSON object.
func New(o Options) http.Handler {
	c := &console{o}
	mux := http.NewServeMux()
	changing(mux, c, "/user/create", func(q CreateUser) string { return q.Name }, c.createUser)
	serve(mux, c, "/user/list", c.listUsers)
	serve(mux, c, "/user/show", c.showUser)
	changing(mux, c, "/user/password", func(q SetPassword) string { return q.Name }, c.setPassword)
	changing(mux, c, "/user/deactivate", func(q Deactivate) string { return q.Name }, c.deactivate)
	changing(mux, c, "/user/set", func(q SetUser) string { return q.Name }, c.setUser)
	changing(mux, c, "/token/create", nothing, c.createToken)
	serve(mux, c, "/token/list", c.listTokens)
	changing(mux, c, "/token/delete", nothing, c.deleteToken)
	serve(mux, c, "/room/list", c.listRooms)
	serve(mux, c, "/room/show", c.showRoom)
	c.lookCommands(mux)
	if o.Media != nil {
		c.mediaCommands(mux)
	}
	if o.Claims != nil {
		c.claimCommands(mux)
	}
	if o.Cutover != nil {
		c.cutoverCommands(mux)
	}
	if o.Import != nil {
		mux.Handle("/import/", o.Import)
	}
	if o.Export != nil {
		mux.Handle("/export/", o.Export)
	}
	return mux
}

// Failure is the answer to a command that could not be done.
type Failure struct {
	Message string `json:"error"`
}

// serve adds a command.
func serve[Q, R any](mux *http.ServeMux, c *console, path string, do func(context.Context, Q) (R, error)) {
	mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
		var q Q
		raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err == nil {
			err = json.Unmarshal(raw, &q, json.RejectUnknownMembers(true))
		}
		if err != nil {
			c.answer(w, http.StatusBadRequest, Failure{"The command could not be read: " + err.Error()})
			return
		}
		out, err := do(r.Context(), q)
		if err != nil {
			status, message := http.StatusInternalServerError, err.Error()
			if e, ok := mxerror.As(err); ok && e.Cause == nil {
				status, message = e.Status, e.Message
			}
			c.answer(w, status, Failure{message})
			return
		}
		c.answer(w, http.StatusOK, out)
	})
}

// nothing is said of a token: it is a secret.
func nothing[Q any](Q) string { return "" }

// changing adds a command that changes something, and is written into the audit log. about tells of whom or what.
func changing[Q, R any](mux *http.ServeMux, c *console, path string, about func(Q) string, do func(context.Context, Q) (R, error)) {
	noun, verb, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	serve(mux, c, path, func(ctx context.Context, q Q) (R, error) {
		out, err := do(ctx, q)
		entry := store.Audit{TS: time.Now().UnixMilli(), Who: "command line", Did: verb + " " + noun, To: about(q)}
		if err != nil {
			entry.Did, entry.More = entry.Did+" (failed)", err.Error()
		}
		werr := c.o.Store.Write(context.WithoutCancel(ctx), func(t *store.Tx) error { return t.AddAudit(entry) })
		if werr != nil {
			c.o.Log.ErrorContext(ctx, "writing the audit log", "did", entry.Did, "err", werr)
		}
		return out, err
	})
}

func (c *console) answer(w http.ResponseWriter, status int, v any) {
	raw, err := json.Marshal(v)
	if err != nil {
		c.o.Log.Error("answering a command", "err", err)
		status, raw = http.StatusInternalServerError, []byte(`{"error":"the answer could not be written"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(raw) // whoever asked may be gone
}

// User is an account as commands see it.
type User struct {
	ID          string   `json:"user_id"`
	Kind        string   `json:"kind"`
	Service     string   `json:"service,omitempty"`
	Admin       bool     `json:"admin"`
	Suspended   bool     `json:"suspended"`
	Locked      bool     `json:"locked"`
	Deactivated bool     `json:"deactivated"`
	HasPassword bool     `json:"has_password"`
	CreatedTS   int64    `json:"created_ts"`
	Addresses   []string `json:"addresses,omitempty"`
	Devices     []Device `json:"devices,omitempty"`
	Rooms       int      `json:"rooms,omitempty"`
}

// Device is one of a user's devices.
type Device struct {
	ID         string `json:"device_id"`
	Name       string `json:"display_name"`
	LastSeenTS int64  `json:"last_seen_ts"`
	LastSeenIP string `json:"last_seen_ip"`
}

func user(id string, a store.Account) User {
	return User{ID: id, Kind: a.Kind, Service: a.Service, Admin: a.Admin, Suspended: a.Suspended, Locked: a.Locked, Deactivated: a.DeactivatedTS != 0,
		HasPassword: a.Password != "", CreatedTS: a.CreatedTS}
}

// find finds the account of a user id or localpart, also one that is deactivated.
func (c *console) find(ctx context.Context, name string) (string, store.Account, error) {
	id, account, err := c.o.Accounts.Find(ctx, name)
	if errors.Is(err, store.ErrNotFound) {
		err = mxerror.NotFound("There is no account %s here.", name)
	}
	return id, account, err
}

// CreateUser is the command /user/create.
type CreateUser struct {
	Name        string `json:"name"`
	Password    string `json:"password"`
	DisplayName string `json:"display_name"`
	Admin       bool   `json:"admin"`
}

func (c *console) createUser(ctx context.Context, q CreateUser) (User, error) {
	l, err := c.o.Accounts.Register(ctx, accounts.Registration{Localpart: q.Name, Password: q.Password, DisplayName: q.DisplayName, Admin: q.Admin})
	if err != nil {
		return User{}, err
	}
	return c.showUser(ctx, Named{Name: l.UserID})
}

// Page asks for a part of a list: what comes after a number, at most Limit.
type Page struct {
	After int64 `json:"after"`
	Limit int   `json:"limit"`
}

func (p Page) limit() int {
	if p.Limit <= 0 || p.Limit > 1000 {
		return 1000
	}
	return p.Limit
}

// Users are a part of all accounts; Next is where the rest begins, 0 at the end.
type Users struct {
	Users []User `json:"users"`
	Next  int64  `json:"next"`
}

func (c *console) listUsers(ctx context.Context, q Page) (out Users, err error) {
	list, err := c.o.Store.Accounts(ctx, q.After, q.limit())
	if err != nil {
		return out, err
	}
	out.Users = make([]User, len(list))
	for i, a := range list {
		out.Users[i] = user(a.ID, a.Account)
	}
	if len(list) == q.limit() {
		out.Next = list[len(list)-1].User
	}
	return out, nil
}

// Named names one thing: a user id or localpart, a token, a room id or alias.
type Named struct {
	Name string `json:"name"`
}

func (c *console) showUser(ctx context.Context, q Named) (User, error) {
	id, account, err := c.find(ctx, q.Name)
	if err != nil {
		return User{}, err
	}
	out := user(id, account)
	addresses, err := c.o.Store.ThreePIDsOf(ctx, account.User)
	if err != nil {
		return out, err
	}
	for _, p := range addresses {
		out.Addresses = append(out.Addresses, p.Address)
	}
	devices, err := c.o.Store.DevicesOf(ctx, account.User)
	if err != nil {
		return out, err
	}
	for _, d := range devices {
		out.Devices = append(out.Devices, Device{d.ID, d.Name, d.LastSeenTS, d.LastSeenIP})
	}
	rooms, err := c.o.Store.RoomsOf(ctx, account.User)
	for _, m := range rooms {
		if m.Membership == "join" {
			out.Rooms++
		}
	}
	return out, err
}

// SetPassword is the command /user/password.
type SetPassword struct {
	Name     string `json:"name"`
	Password string `json:"password"`
	// Keep keeps the user's devices logged in.
	Keep bool `json:"keep_devices"`
}

func (c *console) setPassword(ctx context.Context, q SetPassword) (User, error) {
	id, account, err := c.find(ctx, q.Name)
	if err != nil {
		return User{}, err
	}
	if err := c.o.Accounts.ChangePassword(ctx, account.User, 0, q.Password, !q.Keep); err != nil {
		return User{}, err
	}
	return c.showUser(ctx, Named{id})
}

// Deactivate is the command /user/deactivate.
type Deactivate struct {
	Name  string `json:"name"`
	Erase bool   `json:"erase"`
}

func (c *console) deactivate(ctx context.Context, q Deactivate) (User, error) {
	id, _, err := c.find(ctx, q.Name)
	if err != nil {
		return User{}, err
	}
	if err := c.o.Deactivate(ctx, id, q.Erase); err != nil {
		return User{}, err
	}
	return c.showUser(ctx, Named{id})
}

// SetUser is the command /user/set; what is nil stays as it is.
type SetUser struct {
	Name      string `json:"name"`
	Admin     *bool  `json:"admin,omitempty"`
	Suspended *bool  `json:"suspended,omitempty"`
	Locked    *bool  `json:"locked,omitempty"`
}

func (c *console) setUser(ctx context.Context, q SetUser) (User, error) {
	id, account, err := c.find(ctx, q.Name)
	if err != nil {
		return User{}, err
	}
	for _, s := range []struct {
		to  *bool
		set func(context.Context, int64, bool) error
	}{{q.Admin, c.o.Accounts.SetAdmin}, {q.Suspended, c.o.Accounts.SetSuspended}, {q.Locked, c.o.Accounts.SetLocked}} {
		if s.to == nil {
			continue
		}
		if err := s.set(ctx, account.User, *s.to); err != nil {
			return User{}, fmt.Errorf("changing %s: %w", id, err)
		}
	}
	return c.showUser(ctx, Named{id})
}
